"""System check: the catcher is for development only."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def check_debug(**_: Any) -> list[CheckMessage]:
    """Without DEBUG, nobody may read customers' mail in an inbox."""
    if settings.DEBUG or not settings.MAIL_CATCHER:
        return []
    return [
        Error(
            "The mail catcher is on without DEBUG, but is for development only.",
            hint="Unset MAIL_CATCHER.",
            id="catcher.E001",
        )
    ]
