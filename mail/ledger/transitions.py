"""Transitions: Deliveries change their state, and their Message its counts, in one transaction.

Rows are locked in one order, Deliveries by id and then Messages by id, so that web processes,
relays and workers never deadlock. A Message is locked without its key (`FOR NO KEY UPDATE`): a
page of a broadcast, whose foreign keys refer to that key, blocks nobody.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from mail.ledger import changes, states
from mail.ledger.changes import Changes
from mail.ledger.states import State
from mail.models import Batch, Delivery, Message

PAGE = 1000

Move = tuple[int, str, str]
"""A Message's id, the state one of its Deliveries leaves, the state it enters."""


def count(moves: Iterable[Move]) -> None:
    """Carry moves between states into the counts of their Messages. Raises ForbiddenArrow."""
    deltas: dict[int, Counter[str]] = defaultdict(Counter)
    for (message_id, old, new), times in Counter(moves).items():
        if old != new:
            states.check(old, new)
            deltas[message_id][old] -= times
            deltas[message_id][new] += times
    alike: dict[tuple[tuple[str, int], ...], list[int]] = defaultdict(list)
    for message_id, delta in deltas.items():
        alike[tuple(sorted(delta.items()))].append(message_id)
    if len(deltas) > 1:
        lock_messages(deltas)
    for counts, message_ids in alike.items():
        Message.objects.filter(pk__among=message_ids).update(
            **{state: F(state) + change for state, change in counts if change}
        )


def lock(deliveries: QuerySet[Delivery]) -> list[Delivery]:
    """Lock Deliveries until the transaction ends; only id, message, state and batch are read."""
    return list(
        deliveries.select_for_update(of=("self",))
        .only("id", "message_id", "state", "batch_id")
        .order_by("pk")
    )


def lock_messages(message_ids: Iterable[int]) -> None:
    """Lock the rows of Messages until the transaction ends, in the order of their ids."""
    list(_locked(message_ids).values_list("pk", flat=True))


def set_flags(message: Message, **flags: Any) -> None:
    """Pause, resume or cancel a Message: set a flag and announce it.

    A claim tests the flag, a running Batch sees it with its next checkpoint, and the relay changes
    the rows in the background.
    """
    with transaction.atomic():
        Message.objects.filter(pk=message.pk).update(flags_pending=True, **flags)
        Batch.objects.open().filter(lane=message.lane).update(flags_changed=True)


def release(deliveries: QuerySet[Delivery]) -> None:
    """Return open Deliveries from their Batch to the queue, unharmed."""
    rows = lock(deliveries)
    Delivery.objects.filter(pk__among=[row.pk for row in rows]).update(batch=None)
    recheck_flags({row.message_id for row in rows})


def recheck_flags(message_ids: Iterable[int]) -> None:
    """Have the relay change rows that came back to the queue of a paused or cancelled Message.

    The rows of the Messages are locked, so that a flag that is being set waits for this
    transaction and then finds the Deliveries that it returned.
    """
    flags = _locked(message_ids).values_list("pk", "paused_at", "cancelled_at")
    stopped = [pk for pk, paused_at, cancelled_at in flags if paused_at or cancelled_at]
    if stopped:
        Message.objects.filter(pk__among=stopped).update(flags_pending=True)


def settle(deliveries: QuerySet[Delivery], state: State, **columns: Any) -> int:
    """Bring Deliveries into a final state, page by page; return how many."""
    written = changes.settled(state, paused=False, **columns)
    return sum(_change(page, written) for page in _pages(deliveries))


def requeue(deliveries: QuerySet[Delivery], *, afresh: bool = True) -> int:
    """Queue Deliveries, due now, each with the full give-up time of its kind.

    `afresh` forgets earlier deferrals and crashes, as when a person sends them again.
    """
    forgotten = {"attempts": 0, "crashes": 0} if afresh else {}
    total = 0
    for page in _pages(deliveries.select_related("message")):
        by_time: dict[timedelta, list[int]] = defaultdict(list)
        for pk, give_up_after in page.values_list("pk", "message__give_up_after"):
            by_time[give_up_after].append(pk)
        for give_up_after, pks in by_time.items():
            written = changes.requeued(give_up_after) | forgotten
            total += _change(page.filter(pk__among=pks), written)
    return total


def _locked(message_ids: Iterable[int]) -> QuerySet[Message]:
    messages = Message.objects.filter(pk__among=set(message_ids))
    return messages.select_for_update(no_key=True).order_by("pk")


def _pages(deliveries: QuerySet[Delivery]) -> Iterator[QuerySet[Delivery]]:
    """The query in pages by id, none longer than PAGE rows."""
    last = 0
    while pks := list(
        deliveries.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:PAGE]
    ):
        yield deliveries.filter(pk__among=pks)
        last = pks[-1]


def _change(page: QuerySet[Delivery], written: Changes) -> int:
    with transaction.atomic():
        rows = lock(page)
        Delivery.objects.filter(pk__among=[row.pk for row in rows]).update(**written)
        count((row.message_id, row.state, written["state"]) for row in rows)
        if written["state"] == State.QUEUED:
            recheck_flags({row.message_id for row in rows})
        return len(rows)
