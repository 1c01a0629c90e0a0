"""Waiting for the processes to write."""

from mail.models import Batch, Delivery, Message
from tests.harness.ports import wait_until

State = Delivery.State


def settled(message: Message, *, seconds: float = 60) -> dict[str, int]:
    """Wait until no Delivery of the Message is queued and no Batch is open; the counts by state."""

    def is_settled() -> bool:
        message.refresh_from_db()
        broadcast = getattr(message, "broadcast", None)
        if broadcast is not None:
            broadcast.refresh_from_db()
        expanded = broadcast is None or broadcast.expanded_at is not None
        return (
            expanded and not message.queued and not Batch.objects.filter(closed_at=None).exists()
        )

    wait_until(is_settled, seconds=seconds, every=0.1, what=f"the end of message {message.pk}")
    return counts(message)


def counts(message: Message) -> dict[str, int]:
    """The Message's counts of Deliveries by state."""
    message.refresh_from_db()
    return {state: count for state in State.values if (count := getattr(message, state))}


def in_state(message: Message, state: str, count: int = 1, *, seconds: float = 30) -> None:
    """Wait until that many Deliveries of the Message are in a state."""
    wait_until(
        lambda: message.deliveries.filter(state=state).count() >= count,
        seconds=seconds,
        every=0.05,
        what=f"{count} {state} deliveries of message {message.pk}",
    )
