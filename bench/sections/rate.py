"""rate: MAIL_RATE holds over all workers and relays together, and receipts leave first."""

import time

from bench.asked import Asked
from bench.moa import Moa
from bench.options import Options
from bench.rows import Row, at_most, percentile
from bench.scene import Scene
from tests.harness.ports import wait_until
from tests.harness.smtp_process import SmtpProcess

PER_SECOND, PER_DAY = 40, 300
PROCESSES = 2  # relays, and workers of two slots each
SETTLE = 3.0  # seconds until the first second's work of each slot is behind us
SPENT = """
    SELECT (SELECT count(*) FROM mail_batch WHERE closed_at IS NULL AND token IS NOT NULL) = 0
       AND (SELECT held_until > now() FROM mail_transport WHERE lane = 'bulk')
"""


def run(scene: Scene, options: Options) -> list[Row]:
    with SmtpProcess() as sink, scene.moa(sink.url, MAIL_RATE=f"{PER_SECOND}/s") as moa:
        rows = _second(moa, sink, seconds=options.pick(60, 6))
    with SmtpProcess() as sink, scene.moa(sink.url, MAIL_RATE=f"{PER_DAY}/d") as moa:
        return [*rows, _day(moa, sink)]


def _second(moa: Moa, sink: SmtpProcess, *, seconds: float) -> list[Row]:
    acts = _started(moa)
    terms = acts.ask("product", subscribers=int(PER_SECOND * (seconds + 20)))["terms"]
    acts.ask("publish", terms=terms)
    sink.wait_for(1)
    time.sleep(SETTLE)
    began = time.time()
    committed = acts.ask("send_receipts", count=int(seconds), every=0.8)["committed"]
    time.sleep(max(0, began + seconds - time.time()))
    rate = sink.rate(began, began + seconds)
    held = at_most(
        "rate",
        f"MAIL_RATE={PER_SECOND}/s over {seconds:g} s, off by",
        abs(rate / PER_SECOND - 1),
        0.05,
        "",
        mails_per_second=round(rate, 2),
        relays=PROCESSES,
        workers=PROCESSES,
    )
    wait_until(lambda: committed.keys() <= sink.recipients(), what="receipts")
    at = {one.recipient: one.at for one in sink.taken()}
    overtaken = [
        sum(commit < one.at < at[address] for one in sink.taken())
        for address, commit in committed.items()
    ]
    first = at_most(
        "rate",
        "receipts first: mails that leave before one, p95",
        percentile(overtaken, 0.95),
        PER_SECOND,
        " (a second's)",
        worst=max(overtaken),
        p95_seconds=round(percentile([at[a] - c for a, c in committed.items()], 0.95), 3),
    )
    return [held, first]


def _day(moa: Moa, sink: SmtpProcess) -> Row:
    """Two workers and two relays with more notices than the daily limit, until it is reached."""
    acts = _started(moa)
    terms = acts.ask("product", subscribers=2 * PER_DAY)["terms"]
    acts.ask("publish", terms=terms)
    wait_until(lambda: moa.rows(SPENT) == [(True,)], seconds=60, what="the end of the quota")
    sent = sink.count
    return at_most(
        *("rate", f"MAIL_RATE={PER_DAY}/d, off by", abs(sent / PER_DAY - 1), 0.05, ""), sent=sent
    )


def _started(moa: Moa) -> Asked:
    """The program that acts for the shop, with relays and workers at work."""
    moa.crew(*[("-c", "2")] * PROCESSES, relays=PROCESSES)
    acts = moa.acts()
    acts.ask("open_shop")
    return acts
