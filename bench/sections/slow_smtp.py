"""slow-smtp: one slot, one connection; throughput grows with the slots.

Against a server that takes 300 ms for each mail, C slots of two workers (`-P threads`) should send
C / 0.3 s mails a second. One broadcast serves all measurements; only the workers change.
"""

import time

from bench.moa import Moa
from bench.options import Options
from bench.rows import Row, at_least
from bench.scene import Scene
from tests.harness.smtp_process import SmtpProcess

SMTP_SECONDS = 0.3
SLOTS = (2, 20, 100)
WORKERS = 2
SETTLE = 4 * SMTP_SECONDS
LARGEST = "SELECT max(size), count(*) FROM mail_batch WHERE created_at > now() - %s::interval"


def run(scene: Scene, options: Options) -> list[Row]:
    seconds = options.pick(40, 3)
    enough = int(sum(SLOTS) / SMTP_SECONDS * (seconds + 10))
    with SmtpProcess(pace=SMTP_SECONDS) as sink, scene.moa(sink.url) as moa:
        acts = moa.acts()
        moa.relay()
        acts.ask("publish", terms=acts.ask("product", subscribers=enough)["terms"])
        return [_row(moa, sink, slots, seconds=seconds) for slots in SLOTS]


def _row(moa: Moa, sink: SmtpProcess, slots: int, *, seconds: float) -> Row:
    """Mails a second of workers with so many slots, over so many seconds after the first mails."""
    each = ("-P", "threads", "-c", str(slots // WORKERS))
    workers = [moa.worker(*each, name=f"worker{slots}.{number}") for number in range(WORKERS)]
    sink.wait_for(sink.count + 1)
    time.sleep(SETTLE)  # connections are open, the relay learns the pace
    began = time.time()
    time.sleep(seconds)
    rate, ideal = sink.rate(began, began + seconds), slots / SMTP_SECONDS
    ((largest, batches),) = moa.rows(LARGEST, f"{seconds + SETTLE} seconds")
    for worker in workers:
        worker.popen.terminate()
    for worker in workers:
        worker.stop()
    return at_least(
        *("slow-smtp", f"{slots} connections, of C / 0.3 s", rate / ideal, 0.9, "x"),
        mails_per_second=round(rate, 1),
        ideal=round(ideal, 1),
        seconds=seconds,
        largest_batch=largest,
        batches=batches,
    )
