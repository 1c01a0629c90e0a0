"""Progress: how much of a Message is settled."""

import math

from mail.models import Message


def is_expanded(message: Message) -> bool:
    """Whether all recipients are known; select_related("broadcast") saves a query."""
    broadcast = getattr(message, "broadcast", None)
    return broadcast is None or broadcast.expanded_at is not None


def progress(message: Message) -> float:
    """From 0 to 1, rounded down: 1 means that all recipients are known and none waits."""
    if message.cancelled_at is None and not is_expanded(message):
        return min(_settled_share(message, of_none=0.0), 0.99)
    return _settled_share(message, of_none=1.0)


def _settled_share(message: Message, *, of_none: float) -> float:
    if not message.recipients:
        return of_none
    return math.floor(message.settled / message.recipients * 10_000) / 10_000
