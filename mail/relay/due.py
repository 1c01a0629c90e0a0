"""Due: which Deliveries are to be bound, oldest first."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from mail.models import Broadcast, Delivery, Lane

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


def unlocked(rows: Rows) -> Rows:
    """The rows, locked until the transaction ends; what somebody else has locked is left to him."""
    if connection.features.has_select_for_update_skip_locked:
        return rows.select_for_update(of=("self",), skip_locked=True)
    return rows


def _stopped_moments(lane: Lane) -> list[datetime]:
    """When the rows of stopped broadcasts were due that the relay has yet to turn.

    Up to a million rows of one moment: they are stepped over, for to read them takes longer with
    each. What else is due at the same microsecond waits until they are turned.
    """
    stopped = Q(message__paused_at__isnull=False) | Q(message__cancelled_at__isnull=False)
    turning = Broadcast.objects.filter(stopped, message__lane=lane, message__turning=True)
    return list(turning.order_by("moment").values_list("moment", flat=True))


def _between(moments: list[datetime]) -> Iterator[Q]:
    """Before the first moment, between each and the next, and after the last."""
    for begin, end in pairwise([None, *moments, None]):
        after = Q(due_at__gt=begin) if begin else Q()
        yield after & (Q(due_at__lt=end) if end else Q())


def _due_at(lane: Lane, moments: Q) -> QuerySet[Delivery, tuple[int, int]]:
    waiting = Delivery.objects.filter(
        moments,
        lane=lane,
        state=Delivery.State.QUEUED,
        batch=None,
        parked=False,
        due_at__lte=Now(),
        message__paused_at=None,
        message__cancelled_at=None,
    )
    return unlocked(waiting.order_by("due_at", "pk")).values_list("pk", "crashes")
