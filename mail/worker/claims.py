"""Claims: one worker takes a Batch, under a lease and a token, and owns it until it closes it.

A claim is one conditional UPDATE; whoever changes no row has nothing to do. The deadline is the
worker's own clock, read before that statement, plus the lease less a margin: CLOCK_BOOTTIME goes
on while a machine sleeps and never jumps with the wall clock.
"""

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Length, Now

from mail.conf import settings
from mail.models import Batch, Delivery, Lane, Message, OnUncertain, Seconds, Transport
from mail.transport.base import OutOfTime
from mail.worker import checkpoint
from mail.worker.checkpoint import LeaseLost, Marker

BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boottime() -> float:
    """Seconds since boot, those of sleep included."""
    return time.clock_gettime(BOOTTIME)


@dataclass(slots=True)
class Bound:
    """What a worker reads of an open Delivery of its Batch."""

    pk: int
    message_id: int
    address: str
    name: str
    expires_in: float  # seconds from the claim
    attempts: int
    uncertainties: int


READ_OF_DELIVERY = tuple(field.name for field in fields(Bound))


@dataclass
class Claim:
    """A Batch in this worker's hands: its open Deliveries by id, and their Messages."""

    batch_id: int
    lane: Lane
    token: uuid.UUID
    term: float
    """For how many seconds after its beginning a mark, or the claim itself, lets dots be written."""
    claimed_at: datetime
    read_at: float
    deliveries: list[Bound] = field(default_factory=list)
    messages: dict[int, Any] = field(default_factory=dict)
    through_id: int = 0
    recalled: bool = False
    is_out_of_time: Callable[[], bool] = lambda: False
    marker: Marker = field(default_factory=lambda: checkpoint.marker(wait_for_disk=False))
    mark_started_at: float = 0.0
    """When the mark that is under way was begun; 0 when none is."""

    def __post_init__(self) -> None:
        self.deadline = self.read_at + self.term

    @property
    def elapsed(self) -> float:
        """Seconds since it was claimed."""
        return boottime() - self.read_at

    def now(self) -> datetime:
        """The time by the clock of the database, whatever this machine's wall clock does."""
        return self.claimed_at + timedelta(seconds=self.elapsed)

    def dot_is_near(self) -> None:
        """Begin the mark that `before_dot` waits for. Raises DatabaseError."""
        before = boottime()
        self.marker.start(self.batch_id, self.token, self.through_id)
        self.mark_started_at = before

    def before_dot(self) -> None:
        """Make what is settled so far durable, say that a dot follows, and renew the lease.

        Raises LeaseLost: no dot may be written.
        """
        self._mark(begun=True)
        if boottime() >= self.deadline:
            raise LeaseLost

    def while_waiting(self) -> None:
        """Renew the lease while a server is slow. A renewal that fails is for `before_dot`.

        Raises OutOfTime: whatever is awaited, this process must end.
        """
        if self.is_out_of_time():
            raise OutOfTime
        try:
            self._mark(begun=False)
        except Exception:
            return

    def stopped_messages(self) -> set[int]:
        """The Messages of this Batch that are paused or cancelled, read anew after a recall."""
        Batch.objects.filter(pk=self.batch_id).update(recalled=False)
        self.recalled = False
        stopped = Q(paused_at__isnull=False) | Q(cancelled_at__isnull=False)
        return set(
            Message.objects.filter(stopped, pk__among=self.messages).values_list("pk", flat=True)
        )

    @property
    def is_unsettled(self) -> bool:
        """Whether Deliveries may be left: those up to the cursor are settled."""
        return bool(self.deliveries) and self.deliveries[-1].pk > self.through_id

    def end(self) -> None:
        """Close the Batch: this claim is over."""
        self.marker.end(self.batch_id, self.token, self.through_id)

    def _mark(self, *, begun: bool) -> None:
        before, self.mark_started_at = self.mark_started_at or boottime(), 0.0
        self.recalled |= self.marker.mark(self.batch_id, self.token, self.through_id, begun=begun)
        self.deadline = before + self.term


READ_OF_MESSAGE = (
    *("uuid", "lane", "on_uncertain", "personal", "message_id", "message_id_domain"),
    *("envelope_from", *Delivery.State.values, "paused_at", "cancelled_at", "erased_at"),
)
"""The content is read when it is sent; all else is of no use to who delivers."""

HELD = Exists(Transport.objects.filter(lane=OuterRef("lane"), held_until__gt=Now()))


def lane_of(batch_id: int) -> Lane | None:
    """The lane of a Batch that may be claimed just now, or None."""
    free = Batch.objects.filter(~HELD, pk=batch_id, token=None, closed_at=None)
    lane = free.values_list("lane", flat=True).first()
    return Lane(lane) if lane else None


def take(batch_id: int, token: uuid.UUID | None = None) -> Claim | None:
    """Claim a Batch, or return None: it is another's, done, or its transport is held.

    Called again with the same token, after the database was away, it goes on with what it may
    have claimed then without having been told.
    """
    before, token = boottime(), token or uuid.uuid4()
    free = ~HELD & Q(token=None)
    claimed = Batch.objects.filter(free | Q(token=token), pk=batch_id, closed_at=None).update(
        token=token,
        worker=_name(),
        claimed_at=Now(),
        lease_until=Now() + settings.MAIL_LEASE,
        server_started=server_started(),
    )
    if not claimed:
        # Turned away by a hold: the task is spent, so the relay publishes the id anew afterwards.
        Batch.objects.filter(HELD, pk=batch_id, token=None).update(published_at=None)
        return None
    rows = _open_rows(batch_id)
    messages = _messages(batch_id, {row.message_id for row in rows})
    lane, claimed_at = _facts(batch_id, messages)
    claim = Claim(
        batch_id=batch_id,
        lane=Lane(lane),
        token=token,
        term=_term(),
        claimed_at=claimed_at,
        read_at=before,
        deliveries=rows,
        messages=messages,
    )
    holds = any(m.on_uncertain == OnUncertain.HOLD for m in claim.messages.values())
    claim.marker = checkpoint.marker(wait_for_disk=holds)
    return claim


def _open_rows(batch_id: int) -> list[Bound]:
    """What is open of a Batch, by id."""
    open_ones = Delivery.objects.filter(batch=batch_id, state=Delivery.State.QUEUED).order_by()
    found = open_ones.annotate(expires_in=Seconds(F("expires_at") - _claimed_at(batch_id)))
    rows = (Bound(*row) for row in found.values_list(*READ_OF_DELIVERY))
    return sorted(rows, key=attrgetter("pk"))


def _messages(batch_id: int, pks: set[int]) -> dict[int, Any]:
    """Messages by id in its order, each with the moment of the claim.

    Their content is left out; `octets` tells its length.
    """
    found = Message.objects.only(*READ_OF_MESSAGE).filter(pk__among=pks).order_by("pk")
    read = found.annotate(octets=Length("mime"), claimed_at=_claimed_at(batch_id))
    return {one.pk: one for one in read}


def _claimed_at(batch_id: int) -> Subquery:
    return Subquery(Batch.objects.filter(pk=batch_id).values("claimed_at"))


def _facts(batch_id: int, messages: dict[int, Any]) -> tuple[str, Any]:
    """Lane and moment of the claim, asked for only when nothing of the Batch is open."""
    for message in messages.values():
        return message.lane, message.claimed_at
    return Batch.objects.values_list("lane", "claimed_at").get(pk=batch_id)


CRASHES_SEEN = """
    SELECT extract(epoch FROM pg_postmaster_start_time()) || ' ' || extract(epoch FROM stats_reset)
      FROM pg_stat_bgwriter
"""
_crashes_seen: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def server_started() -> str:
    """What changes whenever the database server crashes: marks made before may be missing after.

    The start of the server alone would not do. When one of its processes is killed, by the
    kernel's OOM killer say, PostgreSQL recovers from its log without starting anew; its
    statistics are reset then, as after every crash. No session outlives a crash, so each asks
    once.
    """
    if connection.vendor != "postgresql":
        return ""
    connection.ensure_connection()
    session = connection.connection
    if session not in _crashes_seen:
        with connection.cursor() as cursor:
            cursor.execute(CRASHES_SEEN)
            _crashes_seen[session] = str(cursor.fetchone()[0])
    return _crashes_seen[session]


def _term() -> float:
    return float((settings.MAIL_LEASE - checkpoint.margin()).total_seconds())


def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident() % 100_000}"
