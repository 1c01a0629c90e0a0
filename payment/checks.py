"""System checks of the payment app."""

import base64
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from payment.gateways import sandbox

SECRET_BYTES = 24  # the minimum of the Standard Webhooks specification


@register(Tags.security)
def check_webhook_secrets(**_: Any) -> list[CheckMessage]:
    """payment.E001: no secret to verify webhooks with. payment.E002: a malformed or short one."""
    if not sandbox.secrets():
        return [
            Error(
                "No secret to verify payment webhooks with; every webhook is rejected.",
                hint="Set PAYMENT_WEBHOOK_SECRETS to whsec_… (24 random bytes or more, base64); "
                "several are separated by commas.",
                id="payment.E001",
            )
        ]
    weak = [number for number, secret in enumerate(sandbox.secrets(), 1) if not _strong(secret)]
    return [
        Error(
            f"Secret number {number} of PAYMENT_WEBHOOK_SECRETS is not base64 of at least "
            f"{SECRET_BYTES} bytes.",
            id="payment.E002",
        )
        for number in weak
    ]


def _strong(secret: str) -> bool:
    text = secret.removeprefix("whsec_")
    try:
        return len(base64.b64decode(text + "=" * (-len(text) % 4), validate=True)) >= SECRET_BYTES
    except ValueError:
        return False
