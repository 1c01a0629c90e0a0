"""Dispatch: bind due Deliveries to Batches and publish the Batch ids.

A window of unclaimed Batches per lane bounds what lies in the broker: a broadcast to a million
people never becomes a million messages, and pause and cancel take effect at once.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from mail import tasks
from mail.conf import settings
from mail.models import Batch, Broadcast, Delivery, Lane, Transport
from mail.relay.due import due, skip_locked
from mail.relay.publisher import Publisher

WORK_PER_BATCH = 1000  # milliseconds
SHARE_OF_RATE = 0.1  # of the mails that MAIL_RATE allows in that time: other slots need places too
GATHER = timedelta(seconds=1)  # how long a small Batch is open for more Deliveries
AT_ONCE = 2000  # Deliveries bound in one transaction


def dispatch(lane: Lane, publisher: Publisher) -> int:
    """Fill the lane's window with Batches of due Deliveries; return how many were published.

    Nothing is dispatched while the transport is held. Deliveries that fall due while a small Batch
    still waits for a worker join it: a thousand receipts that come one by one do not become a
    thousand tasks. Raises BrokerUnavailable; Batches bound by then are published later.
    """
    transport = Transport.objects.filter(lane=lane).not_held().first()
    if transport is None:
        return 0
    size = batch_size(transport.ms_per_mail)
    join(lane, size)
    waiting = Batch.objects.unclaimed().filter(lane=lane).count()
    published, room = 0, settings.MAIL_WINDOW - waiting
    while published < room:
        batches = bind(lane, size, room=room - published)
        _publish(batches, publisher)
        published += len(batches)
        if sum(batch.size for batch in batches) < size:  # nothing more is due
            break
    return published


def batch_size(ms_per_mail: float) -> int:
    """About a second of work, by the lane's recent pace and MAIL_RATE, and never above the limit.

    Under MAIL_RATE it is a tenth of that: all slots wait for places, and a receipt for a slot.
    """
    in_time = WORK_PER_BATCH / max(ms_per_mail, 0.01)
    if settings.MAIL_RATE.per_second is not None:
        in_time = min(in_time, settings.MAIL_RATE.per_second * SHARE_OF_RATE)
    return max(1, min(settings.MAIL_BATCH_LIMIT, round(in_time)))


def join(lane: Lane, size: int) -> int:
    """Bind due Deliveries to a small Batch that still waits for a worker; return how many.

    Up to `size` in that Batch, and only if it was bound a moment ago: the task of an older one may
    be lost. The lock on its row makes a worker that claims it wait until they are in.
    """
    recent = Batch.objects.unclaimed().filter(lane=lane, created_at__gt=Now() - GATHER)
    small = recent.filter(size__lte=size // 2).order_by("-pk")
    if not small.exists():
        return 0
    with transaction.atomic():
        batch = skip_locked(small).first()
        inside = Delivery.objects.queued().filter(batch=batch)
        if batch is None or inside.filter(crashes__gt=0).exists():
            return 0
        trusted = [pk for pk, crashes in due(lane, size - batch.size) if not crashes]
        if trusted:
            _put(batch, trusted)
            Batch.objects.filter(pk=batch.pk).update(size=F("size") + len(trusted))
    return len(trusted)


def bind(lane: Lane, size: int, *, room: int = 1000) -> list[Batch]:
    """Bind due Deliveries to new Batches of up to `size`, `room` at most, oldest first.

    Many small Batches are bound in one transaction, because each commit waits for the disk. A
    Delivery whose worker died gets its own Batch, so that it can harm no other.
    """
    with transaction.atomic():
        found = due(lane, size * min(room, max(1, AT_ONCE // size)))
        suspects = [pk for pk, crashes in found if crashes]
        trusted = [pk for pk, crashes in found if not crashes]
        parts = (trusted[start : start + size] for start in range(0, len(trusted), size))
        groups = [*([pk] for pk in suspects), *parts]
        return [_bind(lane, pks) for pks in groups[:room]]


def republish(lane: Lane, publisher: Publisher) -> int:
    """Publish again the ids that the broker lost; return how many. Raises BrokerUnavailable.

    Never more than there are open unclaimed Batches without a message in the queue: a night
    without workers builds no storm.
    """
    unclaimed = Batch.objects.unclaimed().filter(lane=lane)
    candidates = unclaimed.unpublished().order_by("pk")
    if Transport.objects.held().filter(lane=lane).exists() or not candidates.exists():
        return 0
    lost = max(0, unclaimed.count() - publisher.ready(lane.queue))
    batches = list(candidates[:lost])
    _publish(batches, publisher)
    return len(batches)


def dispatch_expansions(lane: Lane, publisher: Publisher) -> int:
    """Publish the broadcasts that have recipients left to record. Raises BrokerUnavailable.

    A lease that ran out belonged to a dead worker: its task is published again at once. If a
    broadcast's row is locked, it is being expanded, however long that takes.
    """
    died = Q(lease_until__lt=Now())
    overdue = Q(published_at__lt=Now() - settings.MAIL_REPUBLISH_AFTER)
    lost = Q(published_at=None) | overdue | died
    waiting = (
        Broadcast.objects.unexpanded()
        .free()
        .filter(lost, message__lane=lane, message__paused_at=None, message__cancelled_at=None)
    )
    with transaction.atomic():
        found = list(skip_locked(waiting).values_list("pk", "cursor"))
    for pk, cursor in found:
        publisher.publish(tasks.expand_broadcast, pk, queue=lane.queue)
        # A task may have recorded a page before this is noted; then it is not waited for.
        _note(Broadcast.objects.filter(pk=pk, cursor=cursor), published_at=Now())
        _note(Broadcast.objects.filter(died, pk=pk), lease_until=None)
    return len(found)


def _bind(lane: Lane, pks: list[int]) -> Batch:
    batch = Batch.objects.create(lane=lane, size=len(pks))
    _put(batch, pks)
    return batch


def _put(batch: Batch, pks: list[int]) -> None:
    Delivery.objects.filter(pk__among=pks).update(batch=batch)


def _publish(batches: list[Batch], publisher: Publisher) -> None:
    """Publish the ids of Batches, and note which of them the broker took.

    A worker that was refused because of a hold has meanwhile noted that the Batch is to be
    published again afterwards; that stands.
    """
    taken: list[int] = []
    try:
        for batch in batches:
            publisher.publish(tasks.deliver_batch, batch.pk, queue=Lane(batch.lane).queue)
            taken.append(batch.pk)
    finally:
        _note(Batch.objects.not_held().filter(pk__among=taken), published_at=Now())


def _note(rows: QuerySet[Any], **changes: Any) -> None:
    """Change rows without waiting for a lock: a row that is locked is being claimed."""
    with transaction.atomic():
        rows.model._default_manager.filter(pk__in=skip_locked(rows).values("pk")).update(**changes)
