"""Pacing: MAIL_RATE, held over all workers together by one row of the database.

A worker reserves places in time for a few of its mails with one UPDATE, waits for each, and comes
again: so a receipt finds a place right behind those few, however long the Batches of bulk are.
Lanes that use one server share its row.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as clock

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from mail.models import Lane, Transport
from mail.transport.config import Rate

Clock = Callable[[], datetime]

UNLIMITED = Rate()
AHEAD = 0.1  # seconds of places that a worker reserves at a time
FEW = 100  # mails, at most
WAKE = 1.0  # seconds between signs of life while a mail waits for its place


@dataclass(frozen=True)
class Pace:
    """When each mail of a Batch may leave."""

    start: datetime | None = None
    interval: timedelta = timedelta(0)
    allowed: int | None = None
    clock: Clock = timezone.now

    def wait(
        self, number: int, while_waiting: Callable[[], None], is_stopping: Callable[[], bool]
    ) -> bool:
        """Wait for the place of the n-th mail; False when it is not to leave in this Batch."""
        if is_stopping() or (self.allowed is not None and number >= self.allowed):
            return False
        if self.start is None:
            return True
        place = self.start + number * self.interval
        while (left := (place - self.clock()).total_seconds()) > 0:
            time.sleep(min(left, WAKE))
            while_waiting()
            if is_stopping():
                return False
        return True


class Pacer:
    """When each mail of one Batch may leave."""

    def __init__(self, lane: Lane, mails: int, *, clock: Clock) -> None:
        self.lane, self.left, self.clock = lane, mails, clock
        self.pace = Pace(allowed=0)
        self.number = self.reserved = 0
        self.is_free = bool(settings.MAIL_RATE == UNLIMITED)
        """Whether every mail may leave at once."""

    def wait(self, while_waiting: Callable[[], None], is_stopping: Callable[[], bool]) -> bool:
        """Wait for the place of the next mail; False when it is not to leave in this Batch."""
        if self.is_free:
            return not is_stopping()
        if self.number == self.pace.allowed and self.left:
            self.pace = reserve(self.lane, min(self.left, _few()), clock=self.clock)
            self.number, allowed = 0, self.pace.allowed or 0
            self.reserved += allowed
            self.left -= allowed
        self.number += 1
        return self.pace.wait(self.number - 1, while_waiting, is_stopping)


def _few() -> int:
    """How many places are reserved at a time."""
    per_second = settings.MAIL_RATE.per_second
    return FEW if per_second is None else max(1, min(FEW, int(per_second * AHEAD)))


def reserve(lane: Lane, mails: int, *, clock: Clock = timezone.now) -> Pace:
    """Reserve places for so many mails; without MAIL_RATE they may leave at once.

    `clock` tells the time of the database, so that no worker's own clock puts off the others.
    """
    rate = settings.MAIL_RATE
    if rate.per_second is None and rate.per_day is None:
        return Pace()
    with transaction.atomic():
        row = Transport.objects.select_for_update().get(lane=_bucket(lane))
        now, allowed = clock(), mails
        if rate.per_day is not None:
            today = timezone.localdate(now)
            used = row.day_count if row.day == today else 0
            allowed = max(0, min(mails, rate.per_day - used))
            row.day, row.day_count = today, used + allowed
            if allowed < mails:
                _hold_until_tomorrow(lane, now)
        start, interval = None, timedelta(0)
        if rate.per_second is not None:
            start, interval = (
                max(now, row.next_slot_at or now),
                timedelta(seconds=1 / rate.per_second),
            )
            row.next_slot_at = start + allowed * interval
        row.save(update_fields=["day", "day_count", "next_slot_at"])
    return Pace(start=start, interval=interval, allowed=allowed, clock=clock)


def give_back(lane: Lane, mails: int, *, clock: Clock = timezone.now) -> None:
    """Return places of the day's quota that were reserved for mails that were not offered."""
    if settings.MAIL_RATE.per_day is not None and mails > 0:
        today = timezone.localdate(clock())
        row = Transport.objects.filter(lane=_bucket(lane), day=today, day_count__gte=mails)
        row.update(day_count=F("day_count") - mails)


def _hold_until_tomorrow(lane: Lane, now: datetime) -> None:
    """With the day's quota reserved, nothing is claimed or bound in vain until midnight."""
    midnight = datetime.combine(
        timezone.localdate(now) + timedelta(days=1), clock.min, timezone.get_current_timezone()
    )
    free = Q(held_until=None) | Q(held_until__lte=Now())
    Transport.objects.filter(free, lane=lane).update(
        held_until=midnight, held_by="", reason="the day's quota of MAIL_RATE is used up"
    )


def _bucket(lane: Lane) -> Lane:
    transports = settings.MAIL_TRANSPORTS
    shared = transports[Lane.BULK] == transports[Lane.TRANSACTIONAL]
    return Lane.TRANSACTIONAL if shared else lane
