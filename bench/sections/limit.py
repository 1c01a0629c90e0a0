"""limit: what the SMTP server takes from senders that keep their connections and no record.

`smtp-source` in C; and in Python, without and with the mark before each dot that makes a mail's
fate known after a crash: what lies between that and Moa is all of Moa.
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
