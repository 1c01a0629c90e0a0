"""Pending work: one query tells what there is to do, so that an idle relay asks nothing else.

It may say yes where nothing can be done (the transport is held, the window is full, the Message
paused); it never says no where something can.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import compress
from typing import Any

from django.db import connection
from django.db.models import Exists

from mail.conf import settings
from mail.models import Batch, Broadcast, Delivery, Lane, RelayLease

LANES = list(Lane)


@dataclass(frozen=True)
class PendingWork:
    """What waits for the relay."""

    unexpanded: bool = False
    """A broadcast has recipients to record."""
    due: frozenset[Lane] = frozenset()
    """Lanes in which a Delivery is due."""
    unpublished: frozenset[Lane] = frozenset()
    """Lanes in which a Batch is to be published, or once more."""

    def __bool__(self) -> bool:
        return bool(self.unexpanded or self.due or self.unpublished)


def look() -> PendingWork:
    """See what there is to do, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(*_query(settings.MAIL_REPUBLISH_AFTER))
        found = cursor.fetchone()
    if not found:
        return PendingWork()
    unexpanded, *answers = map(bool, found)
    due, unpublished = answers[: len(LANES)], answers[len(LANES) :]
    return PendingWork(
        unexpanded, frozenset(compress(LANES, due)), frozenset(compress(LANES, unpublished))
    )


@cache
def _query(republish_after: timedelta) -> tuple[str, tuple[Any, ...]]:
    """The query and its parameters, built once per setting: it is asked many times a second."""
    unpublished = Batch.objects.unclaimed().unpublished()
    questions = [Exists(Broadcast.objects.unexpanded())]
    questions += [Exists(Delivery.objects.due().filter(lane=lane)) for lane in LANES]
    questions += [Exists(unpublished.filter(lane=lane)) for lane in LANES]
    return RelayLease.objects.order_by().values_list(*questions).query.sql_with_params()
