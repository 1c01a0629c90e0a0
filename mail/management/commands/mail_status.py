"""manage.py mail_status: what is waiting, what failed, and which relay leads."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from mail.operations import status
from mail.operations.status import BroadcastStatus, LaneStatus, Status

FIGURES = (
    "due",
    "waiting",
    "paused",
    "bound",
    "sending",
    "uncertain",
    "failed_last_day",
    "open_batches",
)


class Command(BaseCommand):
    help = "Show what is waiting and what failed in each lane, and which relay leads."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, json: bool, **_: Any) -> str:
        """Return the status as text; the exit code is always 0."""
        found = status.read()
        return _as_json(found) if json else "\n".join(_lines(found))


def _as_json(found: Status) -> str:
    return json.dumps(asdict(found), default=str, ensure_ascii=False)


def _lines(found: Status) -> list[str]:
    widest = max(len(name) for name in FIGURES)
    head = " " * (widest + 2) + "".join(f"{lane.lane:>15}" for lane in found.lanes)
    figures = [
        f"{name.replace('_', ' '):<{widest + 2}}"
        + "".join(f"{getattr(lane, name):>15,}" for lane in found.lanes)
        for name in FIGURES
    ]
    oldest = f"{'oldest due':<{widest + 2}}" + "".join(
        f"{lane.oldest_due_seconds:>14,.0f}s" for lane in found.lanes
    )
    return [
        head,
        *figures,
        oldest,
        *(_held(lane) for lane in found.lanes if lane.held_until),
        _relay(found),
        *(_broadcast(broadcast) for broadcast in found.broadcasts),
    ]


def _held(lane: LaneStatus) -> str:
    by = f" by {lane.held_by}" if lane.held_by else ""
    return f"{lane.lane} is held until {lane.held_until}{by}: {lane.reason}"


def _relay(found: Status) -> str:
    if not found.relay:
        return "no relay has led yet"
    return f"relay {found.relay} " + ("leads" if found.relay_is_live else "has lost its lease")


def _broadcast(broadcast: BroadcastStatus) -> str:
    flags = [name for name in ("paused", "cancelled") if getattr(broadcast, name)]
    recipients = f"{broadcast.recipients:,}" + ("" if broadcast.expanded else " so far")
    return (
        f"broadcast {broadcast.message} ({broadcast.kind}): {broadcast.progress:.1%} of "
        f"{recipients} recipients {' '.join(flags)}".rstrip()
    )
