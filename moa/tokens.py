"""Tokens: how a request to the API authenticates."""

from django.utils import timezone
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from knox.models import AuthToken


class TokenAuthentication(KnoxTokenAuthentication):  # type: ignore[misc]
    """Knox's, but checks only the token of the request, not all others of its user."""

    def _cleanup_token(self, auth_token: AuthToken) -> bool:
        """Delete the token if it has expired; return whether it had."""
        is_over = auth_token.expiry is not None and auth_token.expiry < timezone.now()
        if is_over:
            auth_token.delete()
        return is_over
