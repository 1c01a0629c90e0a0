"""limit: what the SMTP server takes from a sender in C that keeps two connections and no record."""

import statistics
import subprocess
import time

from bench import postfix
from bench.options import Options
from bench.rows import Row, reported, spread
from bench.scene import Scene
from bench.sinks import Sink

SESSIONS = 2
LENGTH = 6000  # octets of content


def run(scene: Scene, options: Options) -> list[Row]:
    count = options.pick(full=100_000, quick=10_000)
    with scene.sink() as sink:
        rates = [drive(sink, count, LENGTH) for _ in range(options.rounds)]
    measured = spread(rates)
    return [
        reported(
            "limit",
            f"smtp-source, {SESSIONS} sessions",
            measured,
            rates=rates,
            rate=statistics.median(rates),
        )
    ]


def drive(sink: Sink, count: int, length: int) -> float:
    """Mails per second of `smtp-source` with connections that stay open."""
    before, began = sink.count, time.monotonic()
    subprocess.run(  # noqa: S603
        [
            *(str(postfix.program("smtp-source")), "-d", "-s", str(SESSIONS)),
            *("-m", str(count), "-l", str(length)),
            *("-f", "shop@moa.example", "-t", "reader@example.com", f"127.0.0.1:{sink.port}"),
        ],
        env=postfix.environ(),
        check=True,
    )
    ended = sink.wait_for(before + count, seconds=60)
    return count / (ended - began)
