"""fanout: a million recipients become Deliveries, and the first mail leaves meanwhile."""

import statistics
import time

from bench.moa import Moa
from bench.options import Options
from bench.rows import Row, at_least, at_most, reported
from bench.scene import Scene
from tests.harness.ports import wait_until
from tests.harness.smtp_process import SmtpProcess

FEW = 10
OPEN = "SELECT count(*) FROM mail_batch WHERE closed_at IS NULL"


def run(scene: Scene, options: Options) -> list[Row]:
    count = options.pick(1_000_000, 50_000)
    with scene.moa("smtp://127.0.0.1:9") as moa:
        rows = _expansion(moa, count)
    with SmtpProcess() as sink, scene.moa(sink.url) as moa:
        return [*rows, _first_mail(moa, sink, count, rounds=options.pick(3, 1))]


def _expansion(moa: Moa, count: int) -> list[Row]:
    acts = moa.acts()
    few, many = acts.ask("product", subscribers=FEW), acts.ask("product", subscribers=count)
    acts.ask("publish_in_the_admin", terms=few["terms"])  # first of its process
    few = acts.ask("product", subscribers=FEW)
    of_few = acts.ask("publish_in_the_admin", terms=few["terms"])["statements"]
    published = acts.ask("publish_in_the_admin", terms=many["terms"])
    more = published["statements"] - of_few
    publishing = at_most(
        *("fanout", f"statements of publishing to {count:,} beyond those to {FEW}", more, 0, ""),
        few=of_few,
        many=published["statements"],
    )
    told = {"product": many["product"], "message": published["message"]}
    bare = [acts.ask("insert_bare", **told)]
    expanded = moa.acts().ask("expand", message=published["message"])
    bare.append(acts.ask("insert_bare", **told))
    checked = acts.ask("insert_bare", foreign_keys=True, **told)
    assert expanded["rows"] == bare[0]["rows"] == count, (expanded, bare)  # noqa: S101
    seconds = statistics.mean(one["seconds"] for one in bare)
    rate = at_least(
        "fanout",
        f"{count:,} recipients, rate / one bare INSERT … SELECT",
        seconds / expanded["seconds"],
        0.6,
        "x",
        rows_per_second=round(count / expanded["seconds"]),
        bare_per_second=[round(count / one["seconds"]) for one in bare],
    )
    alike = reported(
        "fanout",
        f"{count:,} recipients, rate / the same INSERT with the table's foreign keys",
        f"{checked['seconds'] / expanded['seconds']:.3g}x",
        checked_per_second=round(count / checked["seconds"]),
    )
    memory = at_most("fanout", "peak memory of the expansion", expanded["peak_mb"], 200, " MB")
    return [publishing, rate, alike, memory]


def _first_mail(moa: Moa, sink: SmtpProcess, count: int, *, rounds: int) -> Row:
    """Commit to first acceptance, the slowest of several rounds, with two slots."""
    acts = moa.acts()
    drafts = [acts.ask("product", subscribers=count)["terms"] for _ in range(rounds)]
    moa.start("-c", "2")
    apart = time.time() - time.monotonic()
    waits = []
    for terms in drafts:
        before = sink.count
        published = acts.ask("publish", terms=terms)
        sink.wait_for(before + 1)
        waits.append(sink.taken()[before].at - (published["recorded"] + apart))
        acts.ask("cancel", message=published["message"])
        wait_until(lambda: moa.rows(OPEN) == [(0,)], seconds=60, what="the end of the Batches")
    return at_most(
        *("fanout", f"first mail of {count:,} after the commit", max(waits), 1, " s"),
        seconds=[round(wait, 3) for wait in waits],
    )
