"""Upkeep: what follows in the background from flags, clocks and policies."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from mail.ledger import transitions
from mail.models import Broadcast, Delivery, Message

PAGE = 5000
TURNED = 1000  # rows a page: what falls due meanwhile waits for no more than that
State = Delivery.State

_turned_through: dict[int, int] = {}
"""Where this process has got to among the rows of each Message that it turns."""


def turn_rows() -> int:
    """Bring the queued rows of paused, resumed and cancelled Messages in line with their flags.

    One page per Message and call; what a worker holds is turned after it was released.
    """
    turning = Message.objects.filter(turning=True).only("pk", "lane", "paused_at", "cancelled_at")
    return sum(_turn_page(message) for message in turning.order_by("pk"))


def requeue_unsure() -> int:
    """Queue the uncertain Deliveries whose wait is over: once each, with the same Message-ID."""
    due = Delivery.objects.filter(state=State.UNCERTAIN, due_at__lte=Now())
    resendable = due.filter(message__cancelled_at=None, message__erased_at=None)
    return transitions.requeue(resendable, afresh=False)


def erase_contents() -> int:
    """Empty the content of Messages whose time to be kept is over; the record itself stays.

    One that waits or is uncertain is kept. Content that is to be erased once sent outlives
    failures by a day, so that they can be sent again.
    """
    unfinished = Broadcast.objects.filter(
        message=OuterRef("pk"), expanded_at=None, message__cancelled_at=None
    )
    over = Message.objects.filter(
        ~Exists(unfinished),
        Q(failed=0) | Q(erase_at__lt=Now() - timedelta(days=1)),
        erase_at__lt=Now(),
        erased_at=None,
        queued=0,
        uncertain=0,
    )
    pks = list(over.order_by("erase_at").values_list("pk", flat=True)[:PAGE])
    return over.filter(pk__among=pks).update(  # asked again: one may have been sent again since
        mime=b"", subject="", text="", html="", erased_at=Now()
    )


def _turn_page(message: Message) -> int:
    rows = Delivery.objects.filter(message=message, state=State.QUEUED, batch=None)
    if message.cancelled_at:
        return _turn(
            message,
            rows,
            {"state": State.CANCELLED, "settled_at": Now(), "due_at": None, "parked": False},
        )
    if message.paused_at:
        return _turn(message, rows.filter(parked=False), {"parked": True})
    return _turn(message, rows.filter(parked=True), {"parked": False})


def _turn(message: Message, rows: Any, changes: dict[str, Any]) -> int:
    with transaction.atomic():
        page = transitions.lock(rows.filter(pk__among=_page(message, rows)))
        pks = [row.pk for row in page]
        Delivery.objects.filter(pk__among=pks).update(**changes)
        if state := changes.get("state"):
            transitions.count((message.pk, State.QUEUED, state) for _ in pks)
        if not pks:
            _settle_flag(message, rows)
    return len(pks)


def _page(message: Message, rows: Any) -> list[int]:
    """Ids of rows that are to be turned, as many as a page has, from where the last page ended.

    When none are left behind it, all are looked through: some may have come back to the queue.
    """
    for after in (_turned_through.pop(message.pk, 0), 0):
        some = rows.filter(pk__gt=after).order_by("pk")
        if pks := list(some.values_list("pk", flat=True)[:TURNED]):
            _turned_through[message.pk] = pks[-1]
            return pks
    return []


def _settle_flag(message: Message, rows: Any) -> None:
    """All rows agree with the flags, unless these have changed since they were read.

    A worker may have returned a row since we looked; whoever comes later finds our lock on the
    Message, and sets the flag again.
    """
    own = Message.objects.filter(pk=message.pk)
    own.filter(
        paused_at__isnull=message.paused_at is None,
        cancelled_at__isnull=message.cancelled_at is None,
    ).update(turning=False)
    if rows.exists():
        own.update(turning=True)
