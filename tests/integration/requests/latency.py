"""How long a payment's confirmation takes while broker and SMTP server fail.

    python -m tests.integration.requests.latency                 1,500 requests a fault, the same in health
    python -m tests.integration.requests.latency --requests 5000 --rounds 5

Starts a private PostgreSQL and RabbitMQ, an SMTP server, gunicorn, a relay and a worker. A round
takes the faults in an order drawn from the seed; for each it confirms half of the payments in
health, all of them under the fault, and the other half in health again, so that what the machine
does meanwhile hits both sides. Nothing is delivered while requests are measured: under a fault
nothing can be, and in health the lanes are held, or the shop in health would be the slower one.
What a request takes while mails leave stands in a row of its own, which is not judged.

After each fault all its receipts must leave by themselves. Prints the ratios, writes them as
JSON, and exits with 1 when one is beyond its limit, 2 when a receipt is missing or doubled.
"""

import argparse
import contextlib
import json
import os
import platform
import random
import signal
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.integration.requests.outside import FAULTS
from tests.integration.requests.running import PACKAGES, Shop, commit, start

LIMITS = {"p50": 1.1, "p99": 1.5}
SHARES = {"p50": 50, "p99": 99}
WARM_UP = 500  # requests before anything is counted
SETTLE = 50  # requests that are not counted: the first in a new state are not its steady part
DELIVERING = "in health, mails leaving"
RESULTS = Path(__file__).parent / "results"


@dataclass
class Samples:
    """Seconds of requests, under one fault and in health around it, over all rounds."""

    healthy: list[float] = field(default_factory=list)
    faulty: list[float] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)

    def row(self) -> dict[str, float]:
        row: dict[str, float] = {"requests": len(self.faulty), "in health": len(self.healthy)}
        for name, share in SHARES.items():
            healthy, faulty = percentile(self.healthy, share), percentile(self.faulty, share)
            row[f"{name} healthy ms"] = round(healthy * 1000, 2)
            row[f"{name} fault ms"] = round(faulty * 1000, 2)
            row[f"{name} ratio"] = round(faulty / healthy, 3)
        row["slowest ms"] = round(max(self.faulty) * 1000, 1)
        row["all receipts left after s"] = round(max(self.recoveries), 1)
        return row


def percentile(samples: list[float], share: int) -> float:
    return statistics.quantiles(samples, n=100, method="inclusive")[share - 1]


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        shop = start(stack, say)
        facts = {"postgresql": shop.database.version, "rabbitmq": shop.broker.version}
        found = measure(shop, options)
        receipts = [shop.confirmed, shop.smtp.count, len(shop.smtp.recipients())]
    table = {name: samples.row() for name, samples in found.items()}
    beyond = shortfalls(table)
    show(table)
    say(f"receipts: {receipts[0]} due, {receipts[2]} recipients have one, {receipts[1]} copies")
    say("\n".join(beyond) or f"every ratio is within its limit: {LIMITS}")
    write(
        options.out or RESULTS / f"latency-{options.seed}-{options.requests}.json",
        {
            "command": {name: getattr(options, name) for name in ("seed", "requests", "rounds")},
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": commit(),
            "versions": {"python": platform.python_version(), **facts}
            | {name: version(name) for name in PACKAGES},
            "machine": {"cores": os.cpu_count(), "load": os.getloadavg()[1]},
            "seconds": round(time.monotonic() - began),
            "limits": LIMITS,
            "table": table,
            "beyond": beyond,
            "receipts": dict(zip(("due", "copies", "recipients"), receipts, strict=True)),
        },
    )
    return 2 if len(set(receipts)) > 1 else int(bool(beyond))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.requests.latency")
    parser.add_argument("--requests", type=int, default=1500, help="per fault, and in health")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1, help="of the order of the faults")
    parser.add_argument("--out", type=Path, help=f"JSON; by default in {RESULTS.name}/")
    return parser.parse_args()


def measure(shop: Shop, options: argparse.Namespace) -> dict[str, Samples]:
    """The samples of each fault; every receipt has left at the end."""
    drawn = random.Random(options.seed)
    states: dict[str, Callable] = FAULTS | {DELIVERING: lambda *_: contextlib.nullcontext()}
    found = {name: Samples() for name in states}
    shop.confirm(WARM_UP)
    shop.wait_for_receipts()
    each = max(2, options.requests // options.rounds)
    for number in range(options.rounds):
        for name in drawn.sample(list(states), len(states)):
            samples = found[name]
            samples.healthy += in_health(shop, each // 2)
            with states[name](shop.broker, shop.smtp):
                shop.release()
                shop.confirm(SETTLE)
                samples.faulty += shop.confirm(each)
            samples.recoveries.append(shop.wait_for_receipts())
            samples.healthy += in_health(shop, each - each // 2)
            shop.release()
            shop.wait_for_receipts()
            say(f"round {number + 1} of {options.rounds}, {name}: {json.dumps(samples.row())}")
    return found


def in_health(shop: Shop, count: int) -> list[float]:
    """Confirm payments while nothing fails and nothing is delivered; the lanes stay held."""
    shop.hold()
    shop.confirm(SETTLE)
    return shop.confirm(count)


def shortfalls(table: dict[str, dict[str, float]]) -> list[str]:
    """The ratios that are beyond their limits."""
    return [
        f"BEYOND {fault}: {name} {row[f'{name} ratio']} > {limit}"
        for fault, row in table.items()
        for name, limit in LIMITS.items()
        if fault in FAULTS and row[f"{name} ratio"] > limit
    ]


def show(table: dict[str, dict[str, Any]]) -> None:
    """The table as Markdown."""
    columns = list(next(iter(table.values())))
    say("| fault | " + " | ".join(columns) + " |")
    say("|---" * (len(columns) + 1) + "|")
    for fault, row in table.items():
        say(f"| {fault} | " + " | ".join(str(row[column]) for column in columns) + " |")


def write(path: Path, result: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    say(f"written to {path}")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
