"""single: receipts, each recorded in its own transaction."""

import random
import statistics
import time
from contextlib import ExitStack
from typing import Any

from bench.contenders.peers import NAIVE
from bench.moa import Moa
from bench.options import Options
from bench.race import write_notice
from bench.rows import Row, at_least, at_most, percentile, reported
from bench.scene import Scene
from tests.harness.smtp_process import SmtpProcess

SECTION = "single"
HOLD = "UPDATE mail_transport SET held_until = now() + interval '1 hour'"
RELEASE = "UPDATE mail_transport SET held_until = NULL"


def run(scene: Scene, options: Options) -> list[Row]:
    count = options.pick(full=5000, quick=500)
    ours, naive = [], []
    for number in range(options.rounds):
        ours.append(drain(scene, count))
        naive.append(drain_naive(scene, options.pick(full=count, quick=200)))
        scene.say(
            f"round {number + 1}: drained {ours[-1]['rate']:.0f}/s, "
            f"one task per mail {naive[-1]['rate']:.0f}/s"
        )
    return [
        drained(ours, naive),
        statements(ours),
        reported(SECTION, "recording one receipt, median", milliseconds(ours, "seconds")),
        reported(SECTION, "delay() of one task, median", milliseconds(naive, "seconds")),
        *latency(scene, options.pick(full=300, quick=20)),
    ]


def drain(scene: Scene, count: int) -> dict[str, Any]:
    """Record receipts while the transports are held, release them, wait for the last."""
    with scene.sink() as sink, scene.moa(sink.url) as moa:
        moa.start()
        product = moa.shop.ask("product", subscribers=0)["product"]
        paid = moa.shop.ask("payments", product=product, count=count + 2)["payments"]
        moa.shop.ask("receipts", payments=paid[:1])
        sink.wait_for(1, seconds=30, alive=moa.trouble)
        told = moa.shop.ask("statements", payment=paid[1])["statements"]
        sink.wait_for(2, seconds=30, alive=moa.trouble)
        with moa.database() as database:
            database.execute(HOLD)
            recorded = moa.shop.ask("receipts", payments=paid[2:])
            began = time.monotonic()
            database.execute(RELEASE)
        ended = sink.wait_for(count + 2, seconds=300, alive=moa.trouble)
        sink.check(count + 2)
    return {"rate": count / (ended - began), "seconds": recorded["seconds"], "told": told}


def drain_naive(scene: Scene, count: int) -> dict[str, Any]:
    """Publish as many tasks while the worker is stopped, let it go on, wait for the last mail."""
    notice = write_notice(scene)
    with scene.sink() as sink, ExitStack() as ending:
        NAIVE.start(scene, sink, notice, ending)
        (worker,), before = NAIVE.processes, sink.count
        worker.freeze()
        seconds = NAIVE.sender.ask("send", count=count)["seconds"]
        began = time.monotonic()
        worker.thaw()
        ended = sink.wait_for(before + count, seconds=300, alive=NAIVE.trouble)
    return {"rate": count / (ended - began), "seconds": seconds}


def drained(ours: list[dict[str, Any]], naive: list[dict[str, Any]]) -> Row:
    rates = {
        "ours": [one["rate"] for one in ours],
        "theirs": [one["rate"] for one in naive],
    }
    ratio = statistics.median(rates["ours"]) / statistics.median(rates["theirs"])
    return at_least(
        SECTION, "draining receipts, Moa / one Celery task per mail", ratio, 3, " x", **rates
    )


def statements(ours: list[dict[str, Any]]) -> Row:
    told = ours[0]["told"]
    return at_most(SECTION, "statements to record one", len(told), 5, "", statements=told)


def milliseconds(rounds: list[dict[str, Any]], name: str) -> str:
    middle = statistics.median(second for one in rounds for second in one[name])
    return f"{middle * 1000:.2f} ms"


def latency(scene: Scene, count: int) -> list[Row]:
    """From the return of COMMIT until the server has the mail, one after the other."""
    with SmtpProcess() as sink, scene.moa(sink.url) as moa:
        moa.start()
        product = moa.shop.ask("product", subscribers=0)["product"]
        paid = moa.shop.ask("payments", product=product, count=count + 3)["payments"]
        moa.shop.ask("receipts", payments=paid[:3])
        sink.wait_for(3, seconds=30)
        committed = paced(moa, paid[3:])
        sink.wait_for(count + 3, seconds=30)
        arrived = {one.recipient: one.at for one in sink.taken()}
    waits = [(arrived[address] - moment) * 1000 for address, moment in committed.items()]
    return [
        at_most(SECTION, "commit → accepted, idle, p50", percentile(waits, 0.5), 150, " ms"),
        at_most(
            SECTION, "commit → accepted, idle, p99", percentile(waits, 0.99), 400, " ms", ms=waits
        ),
    ]


def paced(moa: Moa, payments: list[int]) -> dict[str, float]:
    """Record receipts at times unrelated to the relay's rounds; return when each committed."""
    chance = random.Random(1)  # noqa: S311
    committed: dict[str, float] = {}
    for payment in payments:
        time.sleep(chance.uniform(0.15, 0.35))
        committed |= moa.shop.ask("receipts", payments=[payment])["committed"]
    return committed
