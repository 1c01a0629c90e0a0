"""limit: what the SMTP server takes from a sender in C that keeps its connections and no record."""

from bench.contenders.limit import Limit
from bench.options import Options
from bench.race import race
from bench.rows import Row, reported
from bench.scene import Scene

SESSIONS = (1, 2, 10)


def run(scene: Scene, options: Options) -> list[Row]:
    numbers = (2,) if options.quick else SESSIONS
    scores = race(scene, options, [Limit(sessions=number) for number in numbers])
    return [
        reported("limit", score.title, str(score), **score.as_detail())
        for score in scores.values()
    ]
