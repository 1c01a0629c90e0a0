"""The contract between Moa and a payment provider."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

CARD_NUMBER = re.compile(r"\d[\d -]{5,}(\d{4})")


class Declined(ValueError):
    """The provider declined the payment, finally; `code` and `text` are the provider's reason."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class InvalidSignature(ValueError):
    """The provider did not sign the webhook, or not within the last five minutes."""


class GatewayUnavailable(ValueError):
    """The provider cannot be reached and the outcome is unknown; the caller may retry."""


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A payment as the provider approved it, card numbers in `method` masked."""

    payment_key: str
    order_number: str
    amount: int
    currency: str
    method: str
    approved_at: datetime


@dataclass(frozen=True, kw_only=True)
class Event:
    """A verified webhook. `approval` is its payment, None if a field is missing or malformed."""

    PAID = "payment.paid"
    CANCELLED = "payment.cancelled"

    provider: str
    event_id: str
    type: str
    approval: Approval | None


class Gateway(Protocol):
    """A payment provider."""

    @property
    def name(self) -> str:
        """The name in URLs and in the database."""

    def confirm(self, *, payment_key: str, order_number: str, amount: int) -> Approval:
        """Capture the money. The same arguments again return the same Approval.

        Raises Declined and GatewayUnavailable.
        """

    def verify(self, headers: Mapping[str, str], body: bytes) -> Event:
        """Verify a webhook on its raw body and return its event.

        Raises InvalidSignature, and GatewayUnavailable if there is no secret to verify with.
        """


def masked(method: str) -> str:
    """The payment method, of each long number only the last four digits shown."""
    return CARD_NUMBER.sub(r"****-\1", method)
