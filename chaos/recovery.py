"""Recovery: the time from a fault to the next progress of what it hit. Pure.

- a worker: until every Batch that the killed or frozen processes had claimed is closed and a
  Batch that was bound since is claimed (what was rescued is the oldest and bound first); if they
  had none, until the next claim of any worker;
- a web process: until the end of the first request, begun after the fault, that succeeds;
- a relay: until the next Batch is bound;
- the broker: from when it accepts connections again until a Batch that was bound since is claimed;
- PostgreSQL: from when it accepts connections again until all three have happened: a request
  succeeded, a Batch bound, a Batch claimed;
- the SMTP server or the way to it: from when it is back until the next mail is accepted.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from chaos.evidence import Batch
from chaos.hit import Hit


@dataclass(frozen=True)
class Recovery:
    """One fault: `outage` is how long the server itself was down, `seconds` what Moa took."""

    hit: Hit
    outage: float
    seconds: float | None
    alone: bool
    """Whether no other fault occurred before recovery."""
    in_hand: bool = False
    """Whether the worker that was hit had claimed a Batch."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The times of each kind of progress, in order."""

    requests: Sequence[tuple[float, float]]
    """When a successful request began, and when it ended."""
    batches: Sequence[Batch]
    taken_at: Sequence[float]
    ups: dict[str, Sequence[float]]


def recoveries(hits: Iterable[Hit], progress: Progress) -> list[Recovery]:
    """The recovery of each fault that landed."""
    landed = [hit for hit in hits if hit.landed]
    found = []
    for hit in landed:
        begins = _begins(hit, progress)
        over = _over(hit, begins, progress) if begins else None
        if begins is None or over is None:
            found.append(Recovery(hit, (begins or hit.at) - hit.at, None, alone=False))
            continue
        alone = not any(hit.at <= one.at < over for one in landed if one is not hit)
        in_hand = bool(_in_hand(hit, progress.batches))
        found.append(Recovery(hit, begins - hit.at, over - begins, alone, in_hand))
    return found


SMTP_AWAY = ("smtp.kill", "smtp.freeze", "network.refuse", "network.cut", "network.reset")
TARGETS: list[tuple[str, float, Callable[[Recovery], bool]]] = [
    ("worker killed with a Batch in hand", 20, lambda one: _is(one, "worker") and one.in_hand),
    ("broker killed and started again", 15, lambda one: _is(one, "broker")),
    ("PostgreSQL crashed", 15, lambda one: _is(one, "postgresql")),
    ("SMTP server back", 30, lambda one: one.hit.kind in SMTP_AWAY),
]
"""What was hit, the target in seconds for 95 %, and which recoveries count."""


def targets(found: Sequence[Recovery]) -> list[dict[str, Any]]:
    """Each target with its 95th percentile over the faults that were alone; None: there was none.

    A fault without recovery counts as infinite.
    """
    rows = []
    for what, limit, counts in TARGETS:
        endless = float("inf")
        over = [endless if one.seconds is None else one.seconds for one in found if counts(one)]
        alone = [one.seconds for one in found if counts(one) and one.alone and one.seconds]
        judged = alone + [one for one in over if one == endless]
        p95 = percentile(judged, 0.95)
        met = None if p95 is None else p95 <= limit
        shown = None if p95 is None or p95 == endless else round(p95, 1)
        rows.append(
            {"what": what, "target": limit, "times": len(judged), "p95": shown, "met": met}
        )
    return rows


def _is(recovery: Recovery, hit: str) -> bool:
    kind = recovery.hit.kind
    return kind.startswith(f"{hit}.") and kind.endswith(("kill", "crash", "stop"))


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 100) * len(ordered) // 100) - 1)] if ordered else None


def _begins(hit: Hit, progress: Progress) -> float | None:
    """From when the recovery is counted: the fault, or when the server is back."""
    if hit.ended_at:
        return hit.ended_at
    if hit.kind == "postgresql.backend.kill":
        return hit.at
    if hit.target in ("broker", "postgresql", "smtp"):
        return _first(progress.ups.get(hit.target, ()), hit.at)
    return hit.at


def _over(hit: Hit, begins: float, progress: Progress) -> float | None:
    batches = progress.batches
    answered = min((end for began, end in progress.requests if began >= begins), default=None)
    bound = min((one.bound_at for one in batches if one.bound_at >= begins), default=None)
    claimed = min(
        (one.claimed_at for one in batches if one.claimed_at and one.claimed_at >= begins),
        default=None,
    )
    match hit.kind.split(".")[0]:
        case "web":
            return answered
        case "relay":
            return bound
        case "broker":
            return min(
                (one.claimed_at for one in batches if one.claimed_at and one.bound_at >= begins),
                default=None,
            )
        case "postgresql":
            moments = (answered, bound, claimed)
            return None if None in moments else max(moment for moment in moments if moment)
        case "worker":
            return _settled(hit, batches) if _in_hand(hit, batches) else claimed
    return _first(progress.taken_at, begins)


def _in_hand(hit: Hit, batches: Sequence[Batch]) -> list[Batch]:
    """The Batches that the processes of a worker held when they were hit."""
    if not hit.kind.startswith("worker"):
        return []
    return [
        one
        for one in batches
        if one.worker_pid in hit.pids
        and (one.claimed_at or hit.at) < hit.at
        and (one.closed_at is None or one.closed_at > hit.at)
    ]


def _settled(hit: Hit, batches: Sequence[Batch]) -> float | None:
    """When the worker's Batches were closed, and their mails claimed again."""
    closed = max(one.closed_at or float("inf") for one in _in_hand(hit, batches))
    if not any(one.rescued for one in _in_hand(hit, batches)):
        return closed
    since = (one.claimed_at for one in batches if one.claimed_at and one.bound_at >= closed)
    return min(since, default=None)


def _first(moments: Sequence[float], after: float) -> float | None:
    at = bisect_right(moments, after)
    return moments[at] if at < len(moments) else None
