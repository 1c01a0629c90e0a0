"""slow-smtp: one slot, one connection; throughput grows with the slots.

Against a server that takes 300 ms for each mail, C slots of one worker (`-P threads`) should send
C / 0.3 s mails a second.
"""

import time

from bench.moa import Moa
from bench.options import Options
from bench.rows import Row, at_least
from bench.scene import Scene
from bench.timed import TimedSink

SMTP_SECONDS = 0.3
SLOTS = (2, 20, 100)
SETTLE = 4 * SMTP_SECONDS


def run(scene: Scene, options: Options) -> list[Row]:
    return [_row(scene, slots, seconds=options.pick(40, 5)) for slots in SLOTS]


def _row(scene: Scene, slots: int, *, seconds: float) -> Row:
    with TimedSink(delay=SMTP_SECONDS) as sink, scene.moa(sink.url) as moa:
        rate, facts = measure(moa, sink, slots=slots, seconds=seconds)
    ideal = slots / SMTP_SECONDS
    return at_least(
        *("slow-smtp", f"{slots} connections, of C / 0.3 s", rate / ideal, 0.9, "x"),
        mails_per_second=round(rate, 1),
        ideal=round(ideal, 1),
        **facts,
    )


def measure(
    moa: Moa, sink: TimedSink, *, slots: int, seconds: float
) -> tuple[float, dict[str, float]]:
    """Mails a second, over so many seconds after the first Batches."""
    acts = moa.acts()
    wanted = int(slots / SMTP_SECONDS * (seconds + 10))
    terms = acts.ask("product", subscribers=wanted)["terms"]
    moa.start("-P", "threads", "-c", str(slots))
    acts.ask("publish", terms=terms)
    sink.wait_for(1)
    time.sleep(SETTLE)  # the relay learns the pace, Batches shrink
    began = time.time()
    time.sleep(seconds)
    rate = sink.rate(began, began + seconds)
    ((largest, batches),) = moa.rows("SELECT max(size), count(*) FROM mail_batch")
    return rate, {
        "seconds": seconds,
        "mails": sink.count,
        "largest_batch": largest,
        "batches": batches,
    }
