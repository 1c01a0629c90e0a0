"""The record: every change of a Delivery's state, with the counts of its Message beside it.

Row locks are taken in one order, Deliveries by id and then Messages by id, so that web processes,
relays and workers never wait for each other in a circle. A Message is locked without its key:
a page of a broadcast, whose foreign keys hold on to that key, holds up nobody.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from mail.ledger import states
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
    for message_id, changes in deltas.items():
        alike[tuple(sorted(changes.items()))].append(message_id)
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


def flag(message_id: int, lane: str, **changes: Any) -> None:
    """Pause, resume or cancel a Message: set one flag, and have it seen.

    Claims test it, a running claim sees it with its next mark, the relay turns the rows in the
    background.
    """
    with transaction.atomic():
        Message.objects.filter(pk=message_id).update(turning=True, **changes)
        Batch.objects.filter(lane=lane, closed_at=None).update(recalled=True)


def lock_messages(message_ids: Iterable[int]) -> None:
    """Lock the rows of Messages until the transaction ends, in the order everybody keeps."""
    list(_locked(message_ids).values_list("pk", flat=True))


def _locked(message_ids: Iterable[int]) -> QuerySet[Message]:
    """Messages locked by id, their keys left free for what refers to them."""
    messages = Message.objects.filter(pk__among=set(message_ids))
    return messages.select_for_update(no_key=True).order_by("pk")


def unbind(deliveries: QuerySet[Delivery]) -> None:
    """Return open Deliveries from their Batch to the queue, unharmed."""
    rows = lock(deliveries)
    Delivery.objects.filter(pk__among=[row.pk for row in rows]).update(batch=None)
    notice_flags({row.message_id for row in rows})


def notice_flags(messages: Iterable[int]) -> None:
    """Have the relay turn rows that came back to the queue of a paused or cancelled Message.

    The rows of the Messages are locked, so that a flag that is being set waits for this
    transaction, and then finds the Deliveries that it returned.
    """
    flags = _locked(messages).values_list("pk", "paused_at", "cancelled_at")
    stopped = [pk for pk, paused_at, cancelled_at in flags if paused_at or cancelled_at]
    if stopped:
        Message.objects.filter(pk__among=stopped).update(turning=True)


def settle(deliveries: QuerySet[Delivery], state: Delivery.State, **fields: Any) -> int:
    """Bring Deliveries into a final state, page by page; return how many."""
    return sum(
        _turn(page, state, settled_at=Now(), due_at=None, parked=False, **fields)
        for page in _pages(deliveries)
    )


def requeue(deliveries: QuerySet[Delivery], *, afresh: bool = True) -> int:
    """Queue Deliveries to leave at once, each with the full give-up time of its kind.

    `afresh` forgets earlier deferrals and crashes, as when a person sends them again.
    """
    forgotten = {"attempts": 0, "crashes": 0} if afresh else {}
    total = 0
    for page in _pages(deliveries.select_related("message")):
        by_patience: dict[Any, list[int]] = defaultdict(list)
        for pk, patience in page.values_list("pk", "message__give_up_after"):
            by_patience[patience].append(pk)
        for patience, pks in by_patience.items():
            total += _turn(
                page.filter(pk__among=pks),
                Delivery.State.QUEUED,
                due_at=Now(),
                expires_at=Now() + patience,
                batch=None,
                settled_at=None,
                **forgotten,
            )
    return total


def _pages(deliveries: QuerySet[Delivery]) -> Iterator[QuerySet[Delivery]]:
    """The query in pages by id, none longer than PAGE rows."""
    last = 0
    while pks := list(
        deliveries.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:PAGE]
    ):
        yield deliveries.filter(pk__among=pks)
        last = pks[-1]


def _turn(page: QuerySet[Delivery], state: Delivery.State, **fields: Any) -> int:
    with transaction.atomic():
        rows = lock(page)
        Delivery.objects.filter(pk__among=[row.pk for row in rows]).update(state=state, **fields)
        count((row.message_id, row.state, state) for row in rows)
        if state == Delivery.State.QUEUED:
            notice_flags({row.message_id for row in rows})
        return len(rows)
