"""The sandbox provider: approves and signs without any network.

A payment key that begins with `sandbox_declined` is declined, any other that begins with
`sandbox_` is approved. Webhooks are signed by the Standard Webhooks specification, as are those of
PortOne, Svix and others:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from standardwebhooks import Webhook, WebhookVerificationError

from payment.gateways.contract import (
    Approval,
    Declined,
    Event,
    GatewayUnavailable,
    InvalidSignature,
    masked,
)

DEVELOPMENT_SECRET = "whsec_bW9hIHNhbmRib3gsIGZvciBkZXZlbG9wbWVudCBvbmx5"  # noqa: S105
"""Signs webhooks while DEBUG is on and PAYMENT_WEBHOOK_SECRETS names none."""

EVENT_ID_LIMIT = 255
TEXT_LIMIT = 200
TEXTS = ("payment_key", "order_number", "currency", "method")
CLOCK_SKEW = timedelta(minutes=5)
METHOD = "신용카드 ****-1234"


class Sandbox:
    """A provider that calls no other system."""

    name = "sandbox"

    def confirm(self, *, payment_key: str, order_number: str, amount: int) -> Approval:
        """Approve a payment key that begins with `sandbox_`. Raises Declined for all others.

        It moves no money, so it raises GatewayUnavailable unless PAYMENT_SANDBOX is on.
        """
        if not settings.PAYMENT_SANDBOX:
            raise GatewayUnavailable("the sandbox is off (PAYMENT_SANDBOX); it moves no money")
        if payment_key.startswith("sandbox_declined"):
            raise Declined("card_declined", "카드사가 결제를 거절했습니다.")
        if not payment_key.startswith("sandbox_"):
            raise Declined("unknown_payment_key", "알 수 없는 결제 키입니다.")
        return Approval(
            payment_key=payment_key,
            order_number=order_number,
            amount=amount,
            currency="KRW",
            method=METHOD,
            approved_at=timezone.now(),
        )

    def verify(self, headers: Mapping[str, str], body: bytes) -> Event:
        """The event of a webhook whose exact body was signed with one of the secrets.

        Raises InvalidSignature, also for a timestamp more than five minutes off, and
        GatewayUnavailable if there is no secret.
        """
        if not (known := secrets()):
            raise GatewayUnavailable("PAYMENT_WEBHOOK_SECRETS holds no secret to verify with")
        if not any(_signed_by(secret, headers, body) for secret in known):
            raise InvalidSignature("the signature is invalid or older than five minutes")
        event_id = headers["webhook-id"]
        if len(event_id) > EVENT_ID_LIMIT or not event_id.isprintable():
            raise InvalidSignature(
                f"webhook-id is not printable or exceeds {EVENT_ID_LIMIT} characters"
            )
        content = _read(body)
        return Event(
            provider=self.name,
            event_id=event_id,
            type=_text(content.get("type")),
            approval=_approval(content.get("data")),
        )


def secrets() -> list[str]:
    """The secrets that webhooks may be signed with; several during a rotation."""
    if named := [secret for secret in settings.PAYMENT_WEBHOOK_SECRETS if secret.strip()]:
        return named
    return [DEVELOPMENT_SECRET] if settings.DEBUG else []


def signed_event(
    *,
    order_number: str,
    payment_key: str,
    amount: int,
    event_type: str = Event.PAID,
    currency: str = "KRW",
    method: str = METHOD,
    event_id: str | None = None,
    sent_at: datetime | None = None,
    secret: str | None = None,
) -> tuple[dict[str, str], bytes]:
    """The headers and the body of a webhook, as the sandbox would send it.

    By default with a new id, sent now and signed with the first of `secrets()`.
    """
    sent_at = (sent_at or timezone.now()).astimezone(UTC)
    event_id = event_id or f"evt_{uuid.uuid4().hex}"
    data = {
        "order_number": order_number,
        "payment_key": payment_key,
        "amount": amount,
        "currency": currency,
        "method": method,
        "approved_at": sent_at.isoformat(),
    }
    text = json.dumps(
        {"type": event_type, "timestamp": sent_at.isoformat(), "data": data}, ensure_ascii=False
    )
    headers = {
        "Content-Type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": Webhook(secret or secrets()[0]).sign(event_id, sent_at, text),
    }
    return headers, text.encode()


def _signed_by(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether this secret signed the webhook. The library raises ValueError for what it cannot
    decode: a body that is not UTF-8, a signature without a version or not in base64."""
    try:
        Webhook(secret).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError):
        return False
    return True


def _read(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _approval(data: Any) -> Approval | None:
    """The payment of an event; None unless every field is present and valid."""
    if not isinstance(data, dict):
        return None
    texts = {name: _text(data.get(name)) for name in TEXTS}
    amount, approved_at = data.get("amount"), _moment(data.get("approved_at"))
    if not all(texts.values()) or type(amount) is not int or approved_at is None:
        return None
    texts["method"] = masked(texts["method"])
    return Approval(amount=amount, approved_at=approved_at, **texts)


def _text(value: Any) -> str:
    """The value if it is printable text of at most TEXT_LIMIT characters, else nothing."""
    fits = isinstance(value, str) and value.isprintable() and len(value) <= TEXT_LIMIT
    return value if fits else ""


def _moment(value: Any) -> datetime | None:
    """The time in an ISO 8601 text with a time zone; None for the future and for anything else."""
    try:
        moment = parse_datetime(value)
        known = moment is not None and moment <= timezone.now() + CLOCK_SKEW
    except (TypeError, ValueError):  # not text, not a date, or without a time zone
        return None
    return moment if known else None
