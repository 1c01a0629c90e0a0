"""Backoff: how long a Delivery waits after a deferral, and a transport after trouble. Pure."""

import random
from datetime import timedelta

from mail.transport.classification import UNREACHABLE

DELAYS = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240)]
LONGEST_HOLD = timedelta(minutes=15)
LONGEST_OUTAGE_HOLD = timedelta(seconds=20)


def backoff(attempts: int, *, jitter: float | None = None) -> timedelta:
    """How long a Delivery waits after its `attempts`-th deferral: 1, 5, 15, 60 min, then 4 h.

    `jitter` in [-1, 1] moves it by up to a fifth; by default it is drawn at random.
    """
    delay = DELAYS[min(max(attempts, 1), len(DELAYS)) - 1]
    drawn = random.uniform(-1, 1) if jitter is None else jitter  # noqa: S311
    return delay + delay * 0.2 * drawn


def hold_time(first: timedelta, holds_in_a_row: int) -> timedelta:
    """How long a transport is held the n-th time in a row: doubled each time.

    After an outage the server is tried again every 20 s at the latest; a server that throttles,
    after 15 min.
    """
    longest = LONGEST_OUTAGE_HOLD if first <= UNREACHABLE else max(first, LONGEST_HOLD)
    doublings = min(max(holds_in_a_row, 1) - 1, 20)
    return min(first * (1 << doublings), longest)
