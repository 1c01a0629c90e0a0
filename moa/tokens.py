"""Tokens: how a request to the API says who sends it."""

from django.utils import timezone
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from knox.models import AuthToken


class TokenAuthentication(KnoxTokenAuthentication):  # type: ignore[misc]
    """Knox's, which looks at the token that came and not at all the others of its user."""

    def _cleanup_token(self, auth_token: AuthToken) -> bool:
        """Delete the token if its time is over; returns whether it was."""
        is_over = auth_token.expiry is not None and auth_token.expiry < timezone.now()
        if is_over:
            auth_token.delete()
        return is_over
