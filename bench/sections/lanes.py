"""lanes: receipts keep their latency while a broadcast runs, and the broadcast keeps its pace.

Once with a worker for each lane, once with one slot for both. In each: receipts on an idle
system; a broadcast alone, at first and at last; the broadcast with a receipt every 100 ms; the
broadcast under a flood of receipts that were recorded before and become due at one moment.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.asked import Asked
from bench.moa import Moa
from bench.options import Options
from bench.rows import Row, at_least, at_most, percentile
from bench.scene import Scene
from tests.harness.ports import wait_until
from tests.harness.smtp_process import SmtpProcess

EVERY = 0.1  # seconds between two receipts
DEDICATED = (("-Q", "mail.transactional", "-c", "1"), ("-Q", "mail.bulk", "-c", "1"))
SHARED = (("-c", "1"),)

Workers = tuple[tuple[str, ...], ...]

MINIMUM_SHARE = 0.2
"""The share of its pace that a broadcast keeps beside a flood of receipts in one slot."""

EXPANDED = "SELECT 1 FROM mail_broadcast WHERE expanded_at IS NOT NULL AND message_id = %s"
WAITING = "SELECT queued FROM mail_message WHERE id = %s"
BATCH_SECONDS = """
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM closed_at - claimed_at))
      FROM mail_batch WHERE lane = 'bulk' AND through_id > 0 AND claimed_at < %s AND closed_at > %s
"""
"""Of the Batches that receipts had to wait for: the first ones of a broadcast are smaller."""
STAGES = """
    SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM created_at - due)),
           percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM claimed_at - created_at)),
           percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM closed_at - claimed_at))
      FROM mail_batch JOIN LATERAL (SELECT min(message.created_at) AS due
           FROM mail_delivery AS delivery JOIN mail_message AS message
             ON message.id = delivery.message_id WHERE batch_id = mail_batch.id) AS first ON true
     WHERE lane = 'transactional' AND closed_at IS NOT NULL AND created_at > %s
"""


@dataclass(frozen=True)
class Sizes:
    notices: int
    receipts: int
    flood: int
    seconds: float
    """How long the broadcast's pace is taken, alone and under the flood."""


@dataclass(frozen=True)
class Lanes:
    """The results of one set of workers; times in seconds, rates in mails per second."""

    idle_p95: float
    busy_p95: float
    batch: float
    alone: float
    beside: float
    flooded: float
    flood_rate: float
    to_bind: float
    """Of receipts beside the broadcast: from recorded to bound, then claimed, then closed; p95."""
    to_claim: float
    to_close: float

    @property
    def detail(self) -> dict[str, Any]:
        return {name: round(value, 3) for name, value in vars(self).items()}


def run(scene: Scene, options: Options) -> list[Row]:
    sizes = Sizes(20_000, 10, 200, 1) if options.quick else Sizes(150_000, 100, 5000, 4)
    own, shared = measure(scene, DEDICATED, sizes), measure(scene, SHARED, sizes)
    waited = (shared.busy_p95 - shared.idle_p95) / shared.batch
    return [
        at_most(
            *("lanes", "dedicated: receipt p95, busy / idle", own.busy_p95 / own.idle_p95, 3, "x"),
            **own.detail,
        ),
        _loss("dedicated: bulk loses to receipts", own.beside, own),
        _loss("dedicated: bulk loses to a flood", own.flooded, own),
        at_most(
            *("lanes", "shared: receipt p95 beyond idle, in bulk Batches", waited, 1.2, "x"),
            **shared.detail,
        ),
        _loss("shared: bulk loses to receipts", shared.beside, shared),
        at_least(
            "lanes",
            "shared: bulk's share in a flood",
            shared.flooded / shared.alone,
            MINIMUM_SHARE,
            "x",
            **shared.detail,
        ),
    ]


def measure(scene: Scene, workers: Workers, sizes: Sizes) -> Lanes:
    """All four situations, one after the other, with a relay and these workers."""
    with (
        SmtpProcess() as receipts,
        SmtpProcess() as bulk,
        scene.moa(receipts.url, EMAIL_URL_BULK=bulk.url) as moa,
    ):
        moa.crew(*workers)
        return _watch(moa, receipts, bulk, sizes)


def _watch(moa: Moa, receipts: SmtpProcess, bulk: SmtpProcess, sizes: Sizes) -> Lanes:
    acts = moa.acts()
    acts.ask("open_shop")
    terms = acts.ask("product", subscribers=sizes.notices)["terms"]
    acts.ask("hoard_receipts", count=sizes.flood)
    _latencies(acts, receipts, 5)  # connections
    idle = _latencies(acts, receipts, sizes.receipts)
    message = acts.ask("publish", terms=terms)["message"]
    wait_until(lambda: moa.rows(EXPANDED, message), seconds=60, what="the expansion")
    before = _rate(bulk, sizes.seconds)
    began = time.time()
    busy = _latencies(acts, receipts, sizes.receipts)
    ended = time.time()
    beside = bulk.rate(began, ended)
    since, until = (datetime.fromtimestamp(moment, UTC) for moment in (began, ended))
    ((to_bind, to_claim, to_close),) = moa.rows(STAGES, since)
    count, released = receipts.count, acts.ask("release_receipts")["at"]
    flooded = _rate(bulk, sizes.seconds)
    flood_rate = (receipts.count - count) / (time.time() - released)
    receipts.wait_for(count + sizes.flood, seconds=120)
    after = _rate(bulk, sizes.seconds)
    ((waiting,),) = moa.rows(WAITING, message)
    assert waiting, "the broadcast was over too early: the figures compare nothing"  # noqa: S101
    ((batch,),) = moa.rows(BATCH_SECONDS, until, since)
    return Lanes(
        idle_p95=percentile(idle, 0.95),
        busy_p95=percentile(busy, 0.95),
        batch=float(batch),
        alone=(before + after) / 2,
        beside=beside,
        flooded=flooded,
        flood_rate=flood_rate,
        to_bind=float(to_bind),
        to_claim=float(to_claim),
        to_close=float(to_close),
    )


def _latencies(acts: Asked, sink: SmtpProcess, count: int) -> list[float]:
    """Seconds from the commit of each receipt to its 250."""
    committed = acts.ask("send_receipts", count=count, every=EVERY)["committed"]
    wait_until(lambda: committed.keys() <= _arrived(sink).keys(), seconds=60, what="receipts")
    arrived = _arrived(sink)
    return [arrived[address] - at for address, at in committed.items()]


def _arrived(sink: SmtpProcess) -> dict[str, float]:
    return {one.recipient: one.at for one in sink.taken()}


def _rate(sink: SmtpProcess, seconds: float) -> float:
    began = time.time()
    time.sleep(seconds)
    return sink.rate(began, began + seconds)


def _loss(name: str, rate: float, lanes: Lanes) -> Row:
    return at_most("lanes", name, 1 - rate / lanes.alone, 0.2, "", **lanes.detail)
