"""System check: the catcher is for trying Moa out."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def check_debug(**_: Any) -> list[CheckMessage]:
    """Without DEBUG nobody may read in an inbox what customers are sent."""
    if settings.DEBUG or not settings.MAIL_CATCHER:
        return []
    return [
        Error(
            "The mail catcher is on outside DEBUG: it is for trying Moa out.",
            hint="Unset MAIL_CATCHER.",
            id="catcher.E001",
        )
    ]
