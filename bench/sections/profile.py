"""profile: where the time goes in a notice and in a confirmed payment.

Uses its own servers: here PostgreSQL counts its statements, which costs a little time.
"""

import os
import re
import statistics
from contextlib import ExitStack
from typing import Any

from bench.contenders.ours import Ours
from bench.measure import measured
from bench.moa import Moa
from bench.options import Options
from bench.rows import Row, reported
from bench.scene import Scene
from bench.sinks import Sink

SECTION = "profile"
COUNTING = {"shared_preload_libraries": "pg_stat_statements"}
STATEMENTS = {
    "the marks": r"PREPARE mark",
    "the 250s": r"UPDATE mail_delivery\s+SET state",
    "binding": r'UPDATE "mail_delivery" SET "batch_id"',
    "recording": r"INSERT INTO mail_delivery",
    "finding what is due": r'SELECT "mail_delivery"\."id" AS "pk", "mail_delivery"\."crashes"',
}
"""What PostgreSQL does for each mail, and the beginning of the statement."""
OTHERS = "all others"
TIMES = """
    SELECT query, total_exec_time / 1000 FROM pg_stat_statements JOIN pg_database ON oid = dbid
     WHERE datname = current_database()
"""


def run(scene: Scene, options: Options) -> list[Row]:
    with Scene(quick=options.quick, **COUNTING) as own:
        notices = _notices(own, options.pick(60_000, 5_000))
        return [*notices, _confirmation(own, options.pick(300, 30))]


def _notices(scene: Scene, count: int) -> list[Row]:
    """A broadcast with two worker processes: microseconds a mail, by process and by statement."""
    with scene.sink() as sink, ExitStack() as ending:
        ours = Ours()
        ours.start(scene, sink, scene.folder, ending)
        ours.prepare(ours.warm)
        _send(ours, sink, ours.warm)
        ours.prepare(count)
        with ours.moa.database() as session:
            session.execute("CREATE EXTENSION pg_stat_statements")
            session.execute("SELECT pg_stat_statements_reset()")
        roots = {**ours.roots, "smtp-sink": sink.popen.pid}
        idle = _idle()
        with measured(roots, memory=False) as usage:
            seconds = _send(ours, sink, count)
        idle = (_idle() - idle) / (os.cpu_count() or 1) / seconds
        statements = _by_statement(ours.moa)
    cpu = {name: one / count * 1e6 for name, one in usage.cpu.items() if name != "shop"}
    spent = {name: one / count * 1e6 for name, one in statements.items()}
    return [
        reported(SECTION, "a notice, CPU by process, µs", _listed(cpu), **cpu),
        reported(SECTION, "a notice, PostgreSQL's statements, µs", _listed(spent), **spent),
        reported(
            *(SECTION, "the same run", f"{count / seconds:.0f}/s; cores idle {idle:.0%}"),
            notices=count,
        ),
    ]


def _send(ours: Ours, sink: Sink, count: int) -> float:
    """Publish to as many as were prepared and wait for the last mail; returns the seconds."""
    expected = sink.count + count
    began = ours.send(count)
    return sink.wait_for(expected, seconds=600, alive=ours.trouble) - began


def _idle() -> float:
    """Seconds that the cores of this machine have been idle, all of them together."""
    with open("/proc/stat") as stat:
        fields = stat.readline().split()
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")


def _by_statement(moa: Moa) -> dict[str, float]:
    """Seconds that statements took since the count began, waits for a core included."""
    seconds = dict.fromkeys((*STATEMENTS, OTHERS), 0.0)
    for query, took in moa.rows(TIMES):
        found = (name for name, begins in STATEMENTS.items() if re.search(begins, query))
        seconds[next(found, OTHERS)] += took
    return seconds


def _confirmation(scene: Scene, count: int) -> Row:
    """A payment confirmed by the API in one process, nothing else at work: milliseconds."""
    with scene.moa("smtp://127.0.0.1:9") as moa:
        parts: dict[str, list[float]] = moa.acts().ask("confirmation", times=count)
    medians = {name: statistics.median(took) * 1000 for name, took in parts.items()}
    name = "a confirmed payment, and of it, ms"
    return reported(SECTION, name, _listed(medians, digits=2), **medians)


def _listed(parts: dict[str, Any], *, digits: int = 0) -> str:
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in parts.items())
