"""Glance: one query tells whether there is anything to dispatch, so that an idle relay asks no more.

It may say yes where nothing can be done (the transport is held, the window is full, the Message
paused); it never says no where something can.
"""

from functools import reduce
from operator import or_

from django.conf import settings
from django.db.models import Exists, Q
from django.db.models.functions import Now

from mail.models import Batch, Broadcast, Delivery, Lane, RelayLease


def is_anything_due() -> bool:
    """Whether a Delivery is due, a Batch waits to be published, or a broadcast is not expanded."""
    reasons = [_unbound(lane) for lane in Lane] + [_unpublished(lane) for lane in Lane]
    unexpanded = Exists(Broadcast.objects.filter(expanded_at=None))
    return RelayLease.objects.filter(reduce(or_, reasons, Q(unexpanded))).exists()


def _unbound(lane: Lane) -> Q:
    queued = Delivery.objects.filter(lane=lane, state=Delivery.State.QUEUED, batch=None)
    return Q(Exists(queued.filter(parked=False, due_at__lte=Now())))


def _unpublished(lane: Lane) -> Q:
    overdue = Q(published_at=None) | Q(published_at__lt=Now() - settings.MAIL_REPUBLISH_AFTER)
    return Q(Exists(Batch.objects.filter(overdue, lane=lane, closed_at=None, token=None)))
