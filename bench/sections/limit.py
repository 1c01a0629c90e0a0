"""limit: what the SMTP server accepts from senders that keep connections and no records.

`smtp-source` in C; and in Python, without and with the checkpoint before each end of data. The
difference between the latter and Moa is everything else that Moa does.
"""

from bench.contenders.bare import Bare
from bench.contenders.limit import Limit
from bench.options import Options
from bench.race import race
from bench.rows import Row, reported
from bench.scene import Scene

SESSIONS = (1, 2, 10)


def run(scene: Scene, options: Options) -> list[Row]:
    numbers = (2,) if options.quick else SESSIONS
    limits = [Limit(sessions=number) for number in numbers]
    scores = race(scene, options, [*limits, Bare(marks=False), Bare(marks=True)])
    return [
        reported("limit", score.title, str(score), **score.as_detail())
        for score in scores.values()
    ]
