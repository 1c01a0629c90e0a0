"""The report: the ledger as a table, and as JSON."""

import json
import platform
import subprocess
from collections import defaultdict
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from chaos.recovery import Recovery, percentile, targets
from chaos.run import Outcome, say
from chaos.stack import Stack
from tests.harness.sessions import PROJECT

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("django", "djangorestframework", "celery", "kombu", "amqp", "psycopg", "gunicorn")
ROWS = (
    "attempted",
    "acknowledged",
    "recovered",
    "recorded",
    "delivered",
    "lost",
    "unexpected",
    "duplicated",
    "duplicated_of_kinds_that_hold",
    "uncertain",
    "unsure_by_death",
    "unsure_by_double_death",
)


def show(outcome: Outcome) -> None:
    """Print the outcome."""
    ledger = outcome.ledger
    say("\nledger (mails)")
    for name in ROWS:
        say(f"  {name.replace('_', ' '):<32}{getattr(ledger, name):>9,}")
    say(f"  states on record: {ledger.states}, codes of the failed: {ledger.codes}")
    say(
        "\nfault                       times  of which alone   recovery p50 / p95 / max      outage p95"
    )
    for kind, figures in recovery_figures(outcome.recoveries).items():
        p50, p95, most, outage = (
            f"{figures[name]:.1f}" if figures[name] is not None else "-"
            for name in ("p50", "p95", "max", "outage_p95")
        )
        say(
            f"  {kind:<26}{figures['times']:>5}  {figures['alone']:>14}   "
            f"{p50:>6} / {p95:>5} / {most:>5} s   {outage:>10} s"
        )
    show_targets(targets(outcome.recoveries))
    say(
        f"\ncame to rest in {outcome.rest_seconds:.1f} s; SIGTERM took {outcome.term_seconds}; "
        f"{outcome.seconds:.0f} s in all"
    )
    for line in outcome.violations[:20]:
        say(f"VIOLATION {line}")
    say("every invariant held" if not outcome.violations else f"{len(outcome.violations)} broken")


def show_targets(rows: list[dict[str, Any]]) -> None:
    """Print the recovery times beside their targets."""
    say("\nback within, 95 % of the faults that no other overlapped")
    for row in rows:
        verdict = {None: "not seen", True: "met", False: "SHORTFALL"}[row["met"]]
        seen = "-" if row["p95"] is None else f"{row['p95']:.1f}"
        say(
            f"  {row['what']:<36}{seen:>6} s of {row['target']:.0f} s, "
            f"{row['times']} times: {verdict}"
        )


def recovery_figures(recoveries: list[Recovery]) -> dict[str, dict[str, Any]]:
    """Percentiles of the recovery times, by kind of fault and by target."""
    groups: dict[str, list[Recovery]] = defaultdict(list)
    for one in recoveries:
        groups[one.hit.kind].append(one)
        groups[f"({one.hit.kind.split('.')[0]})"].append(one)
    return {kind: _figures(found) for kind, found in sorted(groups.items())}


def _figures(found: list[Recovery]) -> dict[str, Any]:
    seconds = [one.seconds for one in found if one.seconds is not None]
    alone = [one.seconds for one in found if one.seconds is not None and one.alone]
    outages = [one.outage for one in found]
    return {
        "times": len(found),
        "alone": len(alone),
        "unfinished": len(found) - len(seconds),
        "p50": percentile(seconds, 0.5),
        "p95": percentile(seconds, 0.95),
        "max": percentile(seconds, 1),
        "alone_p95": percentile(alone, 0.95),
        "outage_p95": percentile(outages, 0.95),
    }


def as_json(outcome: Outcome, stack: Stack, command: dict[str, Any]) -> dict[str, Any]:
    """The complete result, for replays and comparison."""
    operations = outcome.load.operations
    return head(stack, command) | {
        "seconds": round(outcome.seconds, 1),
        "sigkills": sum(hit.is_sigkill for hit in outcome.hits),
        "holds": not outcome.violations,
        "violations": outcome.violations,
        "ledger": outcome.ledger.as_json(),
        "operations": {
            "asked": len(operations),
            "acknowledged": sum(one.acknowledged is not None for one in operations),
            "with_trouble": sum(bool(one.troubles) for one in operations),
        },
        "targets": targets(outcome.recoveries),
        "recovery": recovery_figures(outcome.recoveries),
        "rest_seconds": round(outcome.rest_seconds, 1),
        "hastened": outcome.hastened,
        "term_seconds": outcome.term_seconds,
        "faults": [hit.as_json() for hit in outcome.hits],
    }


def head(stack: Stack, command: dict[str, Any]) -> dict[str, Any]:
    """The head of every result."""
    return {
        "command": command,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "versions": versions(stack),
    }


def write(result: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    say(f"written to {path}")


@cache
def commit() -> str:
    """The commit at the first call, with a + if the working tree differs from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)  # noqa: S603
    return ran.stdout.strip() or "unknown"


def versions(stack: Stack) -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "postgresql": stack.postgresql.version,
        "rabbitmq": stack.broker.version,
        **{name: version(name) for name in PACKAGES},
    }
