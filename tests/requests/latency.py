"""How long a payment's confirmation takes while broker and SMTP server fail.

    python -m tests.requests.latency --requests 5000 --out latency.json

Starts a private PostgreSQL and RabbitMQ, an SMTP server, gunicorn, a relay and a worker. In each
of several rounds and for each fault it confirms payments in health, then the same number under
the fault, then waits until every receipt has left by itself: so the machine's moods hit both
sides. Prints a table of the ratios and exits with 1 when one is beyond its limit (1.1 for p50,
1.5 for p99), 2 when a receipt is missing or doubled.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.requests.outside import FAULTS, SmtpProcess
from tests.servers.postgresql import PostgreSQL
from tests.servers.processes import PROJECT, Processes
from tests.servers.rabbitmq import RabbitMQ

LIMITS = {"p50": 1.1, "p99": 1.5}
SETTLE = 30  # requests that are not counted: the first under a fault are not its steady part


@dataclass
class Samples:
    """Seconds of requests, in health and under one fault, over all rounds."""

    healthy: list[float] = field(default_factory=list)
    faulty: list[float] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)

    def row(self) -> dict[str, float]:
        row: dict[str, float] = {"requests": len(self.faulty)}
        for name, share in (("p50", 50), ("p99", 99)):
            healthy, faulty = percentile(self.healthy, share), percentile(self.faulty, share)
            row[f"{name} healthy ms"] = round(healthy * 1000, 2)
            row[f"{name} fault ms"] = round(faulty * 1000, 2)
            row[f"{name} ratio"] = round(faulty / healthy, 3)
        row["slowest ms"] = round(max(self.faulty) * 1000, 1)
        row["recovery s"] = round(max(self.recoveries), 1)
        return row


def percentile(samples: list[float], share: int) -> float:
    return statistics.quantiles(samples, n=100, method="inclusive")[share - 1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.requests.latency")
    parser.add_argument("--requests", type=int, default=5000, help="per fault, and in health")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="where to write the table as JSON")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        found, copies, expected = run(stack, options.requests, options.rounds)
    table = {name: samples.row() for name, samples in found.items()}
    show(table)
    beyond = [
        f"{fault}: {name} {row[f'{name} ratio']} > {limit}"
        for fault, row in table.items()
        for name, limit in LIMITS.items()
        if row[f"{name} ratio"] > limit
    ]
    say(f"receipts: {expected} confirmed, {copies[1]} recipients have one, {copies[0]} copies")
    say("\n".join(beyond) or "every ratio is within its limit")
    if options.out:
        facts = versions() | {"load": os.getloadavg()[0], "rounds": options.rounds}
        report = {"run": facts, "limits": LIMITS, "table": table, "beyond": beyond}
        options.out.write_text(json.dumps(report | {"receipts": [expected, *copies]}, indent=1))
    return 2 if copies != (expected, expected) else int(bool(beyond))


def run(
    stack: contextlib.ExitStack, requests: int, rounds: int
) -> tuple[dict[str, Samples], tuple[int, int], int]:
    """Measure; returns the samples by fault, what the SMTP server has, and what it should have."""
    broker, smtp, processes = start(stack)
    from tests.requests.payments import open_many, open_shop
    from tests.requests.web import Web

    product, token = open_shop()
    web = Web(processes.environ, token=token)
    stack.callback(web.discard)
    web.wait_ready()
    expected, found = 0, {name: Samples() for name in FAULTS}

    def confirm(count: int) -> list[float]:
        nonlocal expected
        expected += count
        return web.confirm(open_many(product, count), amount=product.price)

    confirm(200)  # caches and connections
    each = max(2, requests // rounds)
    for number in range(rounds):
        for name, fault in FAULTS.items():
            samples = found[name]
            confirm(SETTLE)
            samples.healthy += confirm(each)
            smtp.wait_for(expected, seconds=600)
            with fault(broker, smtp):
                confirm(SETTLE)
                samples.faulty += confirm(each)
            over = time.monotonic()
            smtp.wait_for(expected, seconds=600)
            samples.recoveries.append(time.monotonic() - over)
            say(f"round {number + 1} of {rounds}, {name}: {json.dumps(samples.row())}")
    return found, smtp.recipients(), expected


def start(stack: contextlib.ExitStack) -> tuple[RabbitMQ, SmtpProcess, Processes]:
    """Everything but web; this process then has the same settings as the others."""
    say("starting PostgreSQL, RabbitMQ, relay, worker …")
    folder = tempfile.mkdtemp(prefix="moa-latency-")
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    database, broker = PostgreSQL().start(), RabbitMQ()
    stack.callback(database.discard)
    stack.callback(broker.discard)
    broker.start()
    smtp = stack.enter_context(SmtpProcess())
    environ = {
        "DEBUG": "false",
        "DJANGO_SETTINGS_MODULE": "moa.settings",
        "SECRET_KEY": "only for this run, and long enough to please the checks of Django",
        "ALLOWED_HOSTS": "127.0.0.1",
        "SECURE_SSL_REDIRECT": "false",
        "MOA_VAR": folder,
        "DATABASE_URL": database.url(),
        "BROKER_URL": broker.url(),
        "EMAIL_URL": smtp.url,
        "DEFAULT_FROM_EMAIL": "Moa <no-reply@moa.example>",
        "PAYMENT_SANDBOX": "true",
        "PAYMENT_WEBHOOK_SECRETS": "whsec_bW9hIHNhbmRib3gsIGZvciBkZXZlbG9wbWVudCBvbmx5",
        "LOG_LEVEL": "WARNING",
    }
    os.environ.update(environ)
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    processes = Processes(environ)
    stack.callback(processes.discard)
    processes.relay(LOG_LEVEL="INFO").wait_ready()
    processes.worker("-c", "1", LOG_LEVEL="INFO").wait_ready()
    return broker, smtp, processes


def show(table: dict[str, dict[str, Any]]) -> None:
    """The table as Markdown."""
    columns = list(next(iter(table.values())))
    say("| fault | " + " | ".join(columns) + " |")
    say("|---" * (len(columns) + 1) + "|")
    for fault, row in table.items():
        say(f"| {fault} | " + " | ".join(str(row[column]) for column in columns) + " |")


def versions() -> dict[str, Any]:
    import django

    command = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True).stdout.strip()
    return {
        "commit": commit,
        "python": platform.python_version(),
        "django": django.__version__,
        "cores": os.cpu_count(),
    }


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
