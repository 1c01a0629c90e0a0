"""Due: which Deliveries are to be bound, oldest first."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Q, QuerySet

from mail.models import Broadcast, Delivery, Lane, stopped

Rows = TypeVar("Rows", bound=QuerySet[Any])


def due(lane: Lane, limit: int) -> list[tuple[int, int]]:
    """Lock Deliveries that are due, at most `limit`; return the id and the crashes of each.

    Those of paused and cancelled Messages are left out.
    """
    found: list[tuple[int, int]] = []
    for moments in _between(_stopped_moments(lane)):
        if len(found) < limit:
            found += _due_at(lane, moments)[: limit - len(found)]
    return found


def skip_locked(rows: Rows) -> Rows:
    """The rows that nobody else has locked, locked until the transaction ends."""
    if connection.features.has_select_for_update_skip_locked:
        return rows.select_for_update(of=("self",), skip_locked=True)
    return rows


def _stopped_moments(lane: Lane) -> list[datetime]:
    """When the rows of stopped broadcasts were due whose flags are still pending.

    Up to a million rows share one moment. They are stepped over, because reading them would take
    longer with each. Other mails due at the same microsecond wait until the flags are applied.
    """
    pending = Broadcast.objects.filter(
        stopped("message__"), message__lane=lane, message__flags_pending=True
    )
    return list(pending.order_by("moment").values_list("moment", flat=True))


def _between(moments: list[datetime]) -> Iterator[Q]:
    """Before the first moment, between each and the next, and after the last."""
    for begin, end in pairwise([None, *moments, None]):
        after = Q(due_at__gt=begin) if begin else Q()
        yield after & (Q(due_at__lt=end) if end else Q())


def _due_at(lane: Lane, moments: Q) -> QuerySet[Delivery, tuple[int, int]]:
    waiting = Delivery.objects.due().filter(
        moments, lane=lane, message__paused_at=None, message__cancelled_at=None
    )
    return skip_locked(waiting.order_by("due_at", "pk")).values_list("pk", "crashes")
