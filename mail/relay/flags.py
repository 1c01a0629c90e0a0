"""Flags: the queued rows of paused, resumed and cancelled Messages follow their Message."""

from django.db import transaction
from django.db.models import QuerySet

from mail.ledger import changes, transitions
from mail.ledger.changes import Changes
from mail.ledger.states import State
from mail.models import Delivery, Message

PAGE = 1000  # rows: mails that fall due meanwhile wait no longer than one page takes


class FlagPropagation:
    """Carries flags into rows, page by page, each from where the last one ended."""

    def __init__(self) -> None:
        self.applied_through: dict[int, int] = {}
        """By Message: the last row of its last page."""

    def apply(self) -> int:
        """Change one page of rows per Message that has flags pending; return how many.

        Rows that a worker has claimed follow once they are released.
        """
        pending = Message.objects.with_flags_pending().order_by("pk")
        return sum(self._apply(one) for one in pending.only("lane", "paused_at", "cancelled_at"))

    def _apply(self, message: Message) -> int:
        rows, written = _differing(message)
        with transaction.atomic():
            page = transitions.lock(rows.filter(pk__among=self._next_page(message, rows)))
            pks = [row.pk for row in page]
            Delivery.objects.filter(pk__among=pks).update(**written)
            if state := written.get("state"):
                transitions.count((message.pk, State.QUEUED, state) for _ in pks)
            if not pks:
                clear_pending(message, rows)
        return len(pks)

    def _next_page(self, message: Message, rows: QuerySet[Delivery]) -> list[int]:
        """Ids of rows to change, at most a page.

        When none is left behind the last page, all are searched: some may have come back to the
        queue.
        """
        for after in (self.applied_through.pop(message.pk, 0), 0):
            following = rows.filter(pk__gt=after).order_by("pk")
            if pks := list(following.values_list("pk", flat=True)[:PAGE]):
                self.applied_through[message.pk] = pks[-1]
                return pks
        return []


def _differing(message: Message) -> tuple[QuerySet[Delivery], Changes]:
    """The rows that do not agree with the flags of their Message, and what makes them agree."""
    rows = Delivery.objects.unbound().filter(message=message)
    if message.cancelled_at:
        return rows, changes.settled(State.CANCELLED, paused=False)
    paused = message.paused_at is not None
    return rows.filter(paused=not paused), {"paused": paused}


def clear_pending(message: Message, rows: QuerySet[Delivery]) -> None:
    """Note that all rows agree with the flags, unless these changed since they were read.

    A worker may have returned a row since `rows` was searched; whoever comes later waits for our
    lock on the Message and sets the flag again.
    """
    own = Message.objects.filter(pk=message.pk)
    own.filter(
        paused_at__isnull=message.paused_at is None,
        cancelled_at__isnull=message.cancelled_at is None,
    ).update(flags_pending=False)
    if rows.exists():
        own.update(flags_pending=True)
