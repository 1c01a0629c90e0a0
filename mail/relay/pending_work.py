"""Glance: one query tells what there is to do, so that a relay asks for nothing else.

It may say yes where nothing can be done (the transport is held, the window is full, the Message
paused); it never says no where something can.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import compress
from typing import Any

from django.db import connection
from django.db.models import Exists, Q
from django.db.models.functions import Now

from mail.conf import settings
from mail.models import Batch, Broadcast, Delivery, Lane, RelayLease

LANES = list(Lane)


@dataclass(frozen=True)
class Work:
    """What waits for the relay."""

    unexpanded: bool = False
    """A broadcast has recipients to record."""
    due: frozenset[Lane] = frozenset()
    """Lanes in which a Delivery is due."""
    unpublished: frozenset[Lane] = frozenset()
    """Lanes in which a Batch is to be published, or once more."""

    def __bool__(self) -> bool:
        return bool(self.unexpanded or self.due or self.unpublished)


def look() -> Work:
    """See what there is to do, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(*_query(settings.MAIL_REPUBLISH_AFTER))
        found = cursor.fetchone()
    if not found:
        return Work()
    unexpanded, *answers = map(bool, found)
    due, unpublished = answers[: len(LANES)], answers[len(LANES) :]
    return Work(
        unexpanded, frozenset(compress(LANES, due)), frozenset(compress(LANES, unpublished))
    )


@cache
def _query(republish_after: timedelta) -> tuple[str, tuple[Any, ...]]:
    """The query and its parameters: always the same, asked many times a second."""
    questions = [Exists(Broadcast.objects.filter(expanded_at=None))]
    questions += [_due(lane) for lane in LANES]
    questions += [_unpublished(lane, republish_after) for lane in LANES]
    return RelayLease.objects.order_by().values_list(*questions).query.sql_with_params()


def _due(lane: Lane) -> Exists:
    queued = Delivery.objects.filter(lane=lane, state=Delivery.State.QUEUED, batch=None)
    return Exists(queued.filter(parked=False, due_at__lte=Now()))


def _unpublished(lane: Lane, republish_after: timedelta) -> Exists:
    overdue = Q(published_at=None) | Q(published_at__lt=Now() - republish_after)
    return Exists(Batch.objects.filter(overdue, lane=lane, closed_at=None, token=None))
