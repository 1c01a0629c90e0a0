"""Rate limit: MAIL_RATE, kept by all workers together in one row of the database.

A worker reserves places in time for a few of its mails with one UPDATE, waits for each, and comes
again. So a receipt finds a place right behind those few, however long the Batches of bulk are.
Lanes that use one server share its row.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as daytime

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from mail.conf import settings
from mail.conf.rate import Rate
from mail.models import Lane, Transport

Clock = Callable[[], datetime]

UNLIMITED = Rate()
AHEAD = 0.1  # seconds of places that a worker reserves at a time
MOST_PLACES = 100  # reserved at a time
WAKE = 1.0  # seconds between renewals of the lease while a mail waits for its place


@dataclass(frozen=True)
class Places:
    """Places in time for a number of mails: without a `start`, each may leave at once."""

    start: datetime | None = None
    interval: timedelta = timedelta(0)
    count: int | None = None
    """How many there are; None is without limit."""


class RateLimit:
    """When each mail of one Batch may leave."""

    def __init__(self, lane: Lane, mails: int, *, clock: Clock) -> None:
        self.lane = lane
        self.mails_left = mails
        self.clock = clock
        self.is_unlimited = bool(settings.MAIL_RATE == UNLIMITED)
        self.places = Places(count=0)
        self.used = 0
        """How many of the reserved places are used."""
        self.reserved = 0
        """How many places were reserved for this Batch."""

    def wait(self, while_waiting: Callable[[], None], is_stopping: Callable[[], bool]) -> bool:
        """Wait for the place of the next mail; False when it is not to leave in this Batch."""
        if self.used == self.places.count and self.mails_left:
            self._reserve()
        place, self.used = self.used, self.used + 1
        if is_stopping() or (self.places.count is not None and place >= self.places.count):
            return False
        if self.places.start is None:
            return True
        due_at = self.places.start + place * self.places.interval
        while (left := (due_at - self.clock()).total_seconds()) > 0:
            time.sleep(min(left, WAKE))
            while_waiting()
            if is_stopping():
                return False
        return True

    def return_unused(self, settled: int) -> None:
        """Return places of the day's quota that were reserved for mails that were not offered."""
        unused = self.reserved - settled
        if settings.MAIL_RATE.per_day is not None and unused > 0:
            today = timezone.localdate(self.clock())
            row = Transport.objects.filter(
                lane=_row_of(self.lane), day=today, day_count__gte=unused
            )
            row.update(day_count=F("day_count") - unused)

    def _reserve(self) -> None:
        self.places = reserve(self.lane, min(self.mails_left, _step()), clock=self.clock)
        self.used, count = 0, self.places.count or 0
        self.reserved += count
        self.mails_left -= count


def _step() -> int:
    """How many places are reserved at a time."""
    per_second = settings.MAIL_RATE.per_second
    return MOST_PLACES if per_second is None else max(1, min(MOST_PLACES, int(per_second * AHEAD)))


def reserve(lane: Lane, mails: int, *, clock: Clock = timezone.now) -> Places:
    """Reserve places for so many mails; without MAIL_RATE they may leave at once.

    `clock` tells the time of the database, so that a worker's own clock delays no other worker.
    """
    rate = settings.MAIL_RATE
    if rate == UNLIMITED:
        return Places()
    with transaction.atomic():
        row = Transport.objects.select_for_update().get(lane=_row_of(lane))
        now = clock()
        count = mails
        if rate.per_day is not None:
            count = _take_of_day(
                row, lane, mails, per_day=rate.per_day, today=timezone.localdate(now)
            )
        start, interval = None, timedelta(0)
        if rate.per_second is not None:
            start, interval = (
                max(now, row.next_slot_at or now),
                timedelta(seconds=1) / rate.per_second,
            )
            row.next_slot_at = start + count * interval
        row.save(update_fields=["day", "day_count", "next_slot_at"])
    return Places(start=start, interval=interval, count=count)


def _take_of_day(row: Transport, lane: Lane, mails: int, *, per_day: int, today: date) -> int:
    """Take up to so many mails of the day's quota; the lane is held once it is used up."""
    used = row.day_count if row.day == today else 0
    count = max(0, min(mails, per_day - used))
    row.day, row.day_count = today, used + count
    if count < mails:
        _hold_until_tomorrow(lane, today)
    return count


def _hold_until_tomorrow(lane: Lane, today: date) -> None:
    midnight = datetime.combine(
        today + timedelta(days=1), daytime.min, timezone.get_current_timezone()
    )
    Transport.objects.filter(lane=lane).not_held().hold(
        midnight, reason="the day's quota of MAIL_RATE is used up"
    )


def _row_of(lane: Lane) -> Lane:
    transports = settings.MAIL_TRANSPORTS
    shared = transports[Lane.BULK] == transports[Lane.TRANSACTIONAL]
    return Lane.TRANSACTIONAL if shared else lane
