"""The contract between Moa and a payment provider."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

CARD_NUMBER = re.compile(r"\d[\d -]{5,}(\d{4})")


class Declined(ValueError):
    """The provider refuses the payment, for good; `code` is the provider's own word for why."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class InvalidSignature(ValueError):
    """The webhook was not signed by the provider, or not just now."""


class GatewayUnavailable(ValueError):
    """The provider cannot be asked at present; nothing is known, so the caller may ask again."""


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A payment as the provider approved it. `method` is masked already."""

    payment_key: str
    order_number: str
    amount: int
    currency: str
    method: str
    approved_at: datetime


@dataclass(frozen=True, kw_only=True)
class Event:
    """A verified webhook. `approval` is the payment it speaks of, None when it tells too little."""

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
        """The name in URLs and rows."""

    def confirm(self, *, payment_key: str, order_number: str, amount: int) -> Approval:
        """Have the provider take the money; the same facts again yield the same Approval.

        Raises Declined and GatewayUnavailable.
        """

    def verify(self, headers: Mapping[str, str], body: bytes) -> Event:
        """The event in a webhook, told from its raw bytes.

        Raises InvalidSignature, and GatewayUnavailable when there is no secret to verify with.
        """


def masked(method: str) -> str:
    """The method of payment with all but the last four digits of a long number hidden."""
    return CARD_NUMBER.sub(r"****-\1", method)
