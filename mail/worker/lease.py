"""Lease: how long a worker owns its Batch, by its own clock.

The deadline is CLOCK_BOOTTIME read before the statement that took or renewed the lease, plus the
lease less a margin. That clock continues while a machine sleeps and does not jump with the wall
clock. Past the deadline the worker writes no end of data.
"""

import time
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from mail.conf import settings

BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
boottime = partial(time.clock_gettime, BOOTTIME)
"""Seconds since boot, those of sleep included."""


class LeaseLost(Exception):
    """The Batch has another owner, or its deadline has passed: no end of data may be written."""


class Lease:
    """A worker's hold on one Batch: the token that names it, and until when it lasts."""

    def __init__(self, token: UUID, *, taken_at: float, claimed_at: datetime) -> None:
        self.token = token
        self.clock = boottime
        self.taken_at = taken_at
        self.claimed_at = claimed_at
        self.term = (settings.MAIL_LEASE - margin()).total_seconds()
        self.deadline = taken_at + self.term

    @property
    def elapsed(self) -> float:
        """Seconds since the Batch was claimed."""
        return self.clock() - self.taken_at

    def now(self) -> datetime:
        """The time by the clock of the database, whatever this machine's wall clock says."""
        return self.claimed_at + timedelta(seconds=self.elapsed)

    def renew(self, since: float) -> None:
        """Move the deadline; `since` is when the statement that renewed the lease began."""
        self.deadline = since + self.term

    def require(self) -> None:
        """Raise LeaseLost once the deadline has passed."""
        if self.clock() >= self.deadline:
            raise LeaseLost


def margin() -> timedelta:
    """How long before the end of the lease a worker stops writing ends of data."""
    lease: timedelta = settings.MAIL_LEASE
    return lease / 4
