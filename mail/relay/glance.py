"""Glance: one query tells what there is to do, so that a relay asks for nothing else.

It may say yes where nothing can be done (the transport is held, the window is full, the Message
paused); it never says no where something can.
"""

from dataclasses import dataclass

from django.conf import settings
from django.db.models import Exists, Q
from django.db.models.functions import Now

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
    questions = [Exists(Broadcast.objects.filter(expanded_at=None))]
    questions += [_due(lane) for lane in LANES] + [_unpublished(lane) for lane in LANES]
    for unexpanded, *answers in RelayLease.objects.values_list(*questions):
        seen = [
            frozenset(lane for lane, answer in zip(LANES, half, strict=True) if answer)
            for half in (answers[: len(LANES)], answers[len(LANES) :])
        ]
        return Work(unexpanded, *seen)
    return Work()


def _due(lane: Lane) -> Exists:
    queued = Delivery.objects.filter(lane=lane, state=Delivery.State.QUEUED, batch=None)
    return Exists(queued.filter(parked=False, due_at__lte=Now()))


def _unpublished(lane: Lane) -> Exists:
    overdue = Q(published_at=None) | Q(published_at__lt=Now() - settings.MAIL_REPUBLISH_AFTER)
    return Exists(Batch.objects.filter(overdue, lane=lane, closed_at=None, token=None))
