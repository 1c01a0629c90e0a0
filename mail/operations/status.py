"""Status: what the mail app is doing now, for operators and metrics."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q
from django.db.models.functions import Now
from django.utils import timezone

from mail.models import Batch, Delivery, Lane, Message, RelayLease, Transport
from mail.operations.progress import is_expanded, progress

State = Delivery.State
DAY = timedelta(days=1)

Figures = Iterable[Mapping[str, Any]]
"""Rows with a lane and some fields of its LaneStatus."""


@dataclass(frozen=True, kw_only=True)
class LaneStatus:
    """One lane: its unsettled Deliveries, its failures, and its transport."""

    lane: str
    due: int = 0
    """Due now, and in no Batch."""
    waiting: int = 0
    """Due later: retries, and mails with a `send_at`."""
    paused: int = 0
    bound: int = 0
    """In a Batch that no worker has claimed yet."""
    sending: int = 0
    uncertain: int = 0
    failed_last_day: int = 0
    oldest_due_at: datetime | None = None
    oldest_due_seconds: float = 0
    open_batches: int = 0
    held_until: datetime | None = None
    held_by: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class BroadcastStatus:
    """A broadcast that is not finished."""

    message: int
    kind: str
    recipients: int
    settled: int
    progress: float
    expanded: bool
    paused: bool
    cancelled: bool


@dataclass(frozen=True, kw_only=True)
class Status:
    """The whole app at one moment."""

    lanes: list[LaneStatus]
    relay: str
    relay_is_live: bool
    broadcasts: list[BroadcastStatus]


def read() -> Status:
    """Read the status in a handful of queries, each on a partial index or a small table."""
    now = timezone.now()
    relay = RelayLease.objects.first() or RelayLease()
    return Status(
        lanes=[_lane(figures, now) for figures in _figures()],
        relay=relay.holder,
        relay_is_live=relay.lease_until is not None and relay.lease_until > now,
        broadcasts=[_broadcast(message) for message in _unfinished()],
    )


def _figures() -> list[dict[str, Any]]:
    """The fields of each lane's LaneStatus, from all the queries."""
    lanes: dict[str, dict[str, Any]] = {lane.value: {"lane": lane.value} for lane in Lane}
    for rows in (_unbound(), _bound(), _paused(), _troubled(), _batches(), _holds()):
        for row in rows:
            lanes[row["lane"]].update(row)
    return list(lanes.values())


def _lane(figures: dict[str, Any], now: datetime) -> LaneStatus:
    oldest = [at for name in ("oldest_due", "oldest_bound") if (at := figures.pop(name, None))]
    if oldest and min(oldest) <= now:
        figures["oldest_due_at"] = min(oldest)
        figures["oldest_due_seconds"] = (now - min(oldest)).total_seconds()
    return LaneStatus(**figures)


def _unbound() -> Figures:
    queued = Delivery.objects.unbound().filter(paused=False)
    return queued.values("lane").annotate(
        due=Count("pk", filter=Q(due_at__lte=Now())),
        waiting=Count("pk", filter=Q(due_at__gt=Now())),
        oldest_due=Min("due_at"),
    )


def _bound() -> Figures:
    return (
        Delivery.objects.in_open_batch()
        .values("lane")
        .annotate(
            bound=Count("pk", filter=Q(batch__claimed_at=None)),
            sending=Count("pk", filter=Q(batch__claimed_at__isnull=False)),
            oldest_bound=Min("due_at", filter=Q(batch__claimed_at=None)),
        )
    )


def _paused() -> Figures:
    return Delivery.objects.filter(paused=True).values("lane").annotate(paused=Count("pk"))


def _troubled() -> Figures:
    lately = Q(state=State.FAILED, settled_at__gte=Now() - DAY)
    troubled = Delivery.objects.filter(Q(state=State.UNCERTAIN) | lately)
    return troubled.values("lane").annotate(
        uncertain=Count("pk", filter=Q(state=State.UNCERTAIN)),
        failed_last_day=Count("pk", filter=lately),
    )


def _batches() -> Figures:
    return Batch.objects.open().values("lane").annotate(open_batches=Count("pk"))


def _holds() -> Figures:
    return Transport.objects.held().values("lane", "held_until", "held_by", "reason")


def _unfinished() -> Iterable[Message]:
    is_unfinished = Q(broadcast__expanded_at=None, cancelled_at=None) | Q(queued__gt=0)
    broadcasts = Message.objects.filter(is_unfinished, broadcast__isnull=False)
    return broadcasts.deferring_content().select_related("broadcast").order_by("pk")


def _broadcast(message: Message) -> BroadcastStatus:
    return BroadcastStatus(
        message=message.pk,
        kind=message.kind,
        recipients=message.recipients,
        settled=message.settled,
        progress=progress(message),
        expanded=is_expanded(message),
        paused=message.paused_at is not None,
        cancelled=message.cancelled_at is not None,
    )
