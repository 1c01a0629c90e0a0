"""Gateways: the payment providers, by name."""

from payment.gateways.contract import (
    Approval,
    Declined,
    Event,
    Gateway,
    GatewayUnavailable,
    InvalidSignature,
)
from payment.gateways.sandbox import Sandbox

__all__ = [
    "DEFAULT",
    "Approval",
    "Declined",
    "Event",
    "Gateway",
    "GatewayUnavailable",
    "InvalidSignature",
    "UnknownGateway",
    "get",
]

DEFAULT: Gateway = Sandbox()
"""The provider of new payments."""

_gateways: dict[str, Gateway] = {gateway.name: gateway for gateway in [DEFAULT]}


class UnknownGateway(LookupError):
    """No payment provider of this name."""


def get(name: str) -> Gateway:
    """The provider of this name; raises UnknownGateway."""
    try:
        return _gateways[name]
    except KeyError:
        raise UnknownGateway(f"no payment provider {name[:40]!r}") from None
