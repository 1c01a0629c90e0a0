"""A race: contenders in turn against one SMTP server, round by round."""

import json
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.contenders.contender import Contender
from bench.measure import measured
from bench.options import Options
from bench.rows import spread
from bench.scene import Scene
from bench.sinks import Sink


@dataclass
class Score:
    """What a contender reached, a figure for each round."""

    title: str
    counts: list[int] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    """Mails per second, from the first hand-over until the server has accepted all."""
    cpu: list[dict[str, float]] = field(default_factory=list)
    """CPU seconds per 1,000 mails by process."""
    pss: list[float] = field(default_factory=list)
    """Peak of all its processes in MB, without the servers; likewise `rss`."""
    rss: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    @property
    def cpu_in_all(self) -> float:
        """CPU seconds per 1,000 mails of all processes, the median round."""
        return statistics.median(sum(one.values()) for one in self.cpu)

    def __str__(self) -> str:
        used = f"; {self.cpu_in_all:.2f} CPU s/1,000, {max(self.pss):.0f} MB" if self.pss else ""
        return spread(self.rates) + used

    def as_detail(self) -> dict[str, Any]:
        return vars(self) | {"rate": self.rate}


def race(
    scene: Scene, options: Options, contenders: Sequence[Contender], *, pipelining: bool = True
) -> dict[str, Score]:
    """Every contender once a round, `options.rounds` times; their scores by title."""
    notice = write_notice(scene)
    scores = {one.title: Score(one.title) for one in contenders}
    for number in range(options.rounds):
        for contender in contenders:
            with scene.sink(pipelining=pipelining) as sink:
                run_once(scene, options, contender, sink, notice, scores[contender.title])
            reached = scores[contender.title].rates[-1]
            scene.say(f"round {number + 1}: {contender.title}: {reached:.0f}/s")
    return scores


def run_once(
    scene: Scene, options: Options, contender: Contender, sink: Sink, notice: Path, score: Score
) -> None:
    """Start, warm up, measure and stop it. Raises WrongCount for lost or duplicated mails."""
    with ExitStack() as ending:
        contender.start(scene, sink, notice, ending)
        contender.prepare(contender.warm)
        before, began = sink.count, contender.send(contender.warm)
        before += contender.warm
        rate = contender.warm / (arrival(sink, before, contender) - began)
        count = size(contender, rate, options)
        contender.prepare(count)
        with measured(contender.roots) as usage:
            began = contender.send(count)
            ended = arrival(sink, before + count, contender)
        sink.check(before + count)
    score.counts.append(count)
    score.rates.append(count / (ended - began))
    if contender.roots:
        score.cpu.append(usage.per_thousand(count))
        own = [name for name in usage.pss if name not in ("postgresql", "rabbitmq")]
        score.pss.append(sum(usage.pss[name] for name in own))
        score.rss.append(sum(usage.rss[name] for name in own))


def size(contender: Contender, rate: float, options: Options) -> int:
    """How many mails are about a round; a contender may ask for more than time gives."""
    least = contender.least // 5 if options.quick else contender.least
    return max(least, int(rate * options.seconds))


def arrival(sink: Sink, count: int, contender: Contender) -> float:
    return sink.wait_for(count, seconds=600, alive=contender.trouble)


def write_notice(scene: Scene) -> Path:
    """The mail that all of them send, taken from a shop."""
    path = scene.folder / "notice.json"
    if not path.exists():
        with scene.moa("smtp://127.0.0.1:9") as moa:
            terms = moa.shop.ask("product", subscribers=1)["terms"]
            path.write_text(json.dumps(moa.shop.ask("notice", terms=terms)))
    return path
