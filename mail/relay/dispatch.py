"""Dispatch: bind due Deliveries to Batches and publish the Batch ids.

A window of unclaimed Batches per lane bounds what lies in the broker: a broadcast to a million people
never becomes a million messages, and pause and cancel bite at once.
"""

from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from mail import tasks
from mail.models import Batch, Broadcast, Delivery, Lane, Transport
from mail.relay.publisher import Publisher

WORK_PER_BATCH = 1000  # milliseconds
GATHER = timedelta(seconds=1)


def dispatch(lane: Lane, publisher: Publisher) -> int:
    """Fill the lane's window with Batches of due Deliveries; return how many were published.

    Nothing is dispatched while the transport is held. While a Batch that was just bound waits for a
    worker, what falls due gathers for the next one: a thousand receipts that come one by one do
    not become a thousand tasks. Raises BrokerUnavailable; what was bound by then is published
    later.
    """
    transport = Transport.objects.filter(lane=lane).exclude(held_until__gt=Now()).first()
    if transport is None:
        return 0
    unclaimed = Batch.objects.filter(lane=lane, closed_at=None, token=None)
    gathers = unclaimed.filter(created_at__gt=Now() - GATHER).exists()
    size = batch_size(transport.ms_per_mail)
    published, room = 0, settings.MAIL_WINDOW - unclaimed.count()
    while published < room:
        batches = bind(lane, size, room=room - published, least=size if gathers else 1)
        for batch in batches:
            _publish(batch, publisher)
            published += 1
        if not batches:
            break
    return published


def batch_size(ms_per_mail: float) -> int:
    """About a second of work, by the lane's recent pace and MAIL_RATE, and never above the limit."""
    fastest = 1000 / (settings.MAIL_RATE.per_second or 1e6)
    in_time = int(WORK_PER_BATCH / max(ms_per_mail, fastest, 0.01))
    return max(1, min(settings.MAIL_BATCH_LIMIT, in_time))


def bind(lane: Lane, size: int, *, room: int = 1000, least: int = 1) -> list[Batch]:
    """Bind up to `size` due Deliveries to new Batches, `room` at most, oldest first.

    If fewer than `least` are due, none is bound. A Delivery that a worker died with gets a Batch
    of its own, so that it can harm no other.
    """
    with transaction.atomic():
        due = list(_due(lane)[:size])
        if len(due) < least:
            return []
        suspects = [pk for pk, crashes in due if crashes]
        trusted = [pk for pk, crashes in due if not crashes]
        groups = [*([pk] for pk in suspects), *([trusted] if trusted else [])]
        return [_bind(lane, pks) for pks in groups[:room]]


def republish(lane: Lane, publisher: Publisher) -> int:
    """Publish again the ids that the broker lost; return how many. Raises BrokerUnavailable.

    Never more than there are open unclaimed Batches without a message in the queue: a night
    without workers builds no storm.
    """
    unclaimed = Batch.objects.filter(lane=lane, closed_at=None, token=None)
    overdue = Q(published_at=None) | Q(published_at__lt=Now() - settings.MAIL_REPUBLISH_AFTER)
    candidates = unclaimed.filter(overdue).order_by("pk")
    held = Transport.objects.filter(lane=lane, held_until__gt=Now())
    if held.exists() or not candidates.exists():
        return 0
    lost = max(0, unclaimed.count() - publisher.ready(lane.queue))
    batches = list(candidates[:lost])
    for batch in batches:
        _publish(batch, publisher)
    return len(batches)


def dispatch_expansions(publisher: Publisher) -> int:
    """Publish the broadcasts that have recipients left to record. Raises BrokerUnavailable.

    A lease that ran out is that of a dead worker: its task is published again without a wait.
    """
    died = Q(lease_until__lt=Now())
    overdue = Q(published_at__lt=Now() - settings.MAIL_REPUBLISH_AFTER)
    lost = Q(published_at=None) | overdue | died
    idle = Q(lease_until=None) | died
    waiting = Broadcast.objects.filter(
        lost, idle, expanded_at=None, message__paused_at=None, message__cancelled_at=None
    )
    published = 0
    for pk, lane, cursor in waiting.values_list("pk", "message__lane", "cursor"):
        publisher.publish(tasks.expand_broadcast, pk, queue=Lane(lane).queue)
        # A task may be over before it is noted: one that has recorded a page is not waited for.
        Broadcast.objects.filter(pk=pk, cursor=cursor).update(published_at=Now())
        Broadcast.objects.filter(died, pk=pk).update(lease_until=None)
        published += 1
    return published


def _due(lane: Lane) -> QuerySet[Delivery, tuple[int, int]]:
    due = Delivery.objects.filter(
        lane=lane,
        state=Delivery.State.QUEUED,
        batch=None,
        parked=False,
        due_at__lte=Now(),
        message__paused_at=None,
        message__cancelled_at=None,
    ).order_by("due_at", "pk")
    if connection.features.has_select_for_update_skip_locked:
        due = due.select_for_update(of=("self",), skip_locked=True)
    return due.values_list("pk", "crashes")


def _bind(lane: Lane, pks: list[int]) -> Batch:
    batch = Batch.objects.create(lane=lane, size=len(pks))
    Delivery.objects.filter(pk__in=pks).update(batch=batch)
    return batch


def _publish(batch: Batch, publisher: Publisher) -> None:
    publisher.publish(tasks.deliver_batch, batch.pk, queue=Lane(batch.lane).queue)
    Batch.objects.filter(pk=batch.pk).update(published_at=Now())
