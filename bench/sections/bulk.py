"""bulk: an announcement, from its publication until the SMTP server has accepted all of it."""

from bench.contenders.limit import Limit
from bench.contenders.ours import Ours
from bench.contenders.peers import NAIVE, peers
from bench.options import Options
from bench.race import Score, race
from bench.rows import Row, at_least, at_most, reported
from bench.scene import Scene

SECTION = "bulk"


def run(scene: Scene, options: Options) -> list[Row]:
    ours, limit, others = Ours(), Limit(), peers()
    scores = race(scene, options, [limit, ours, *others])
    moa, naive = scores[ours.title], scores[NAIVE.title]
    best = max((scores[peer.title] for peer in others), key=lambda score: score.rate)
    fastest = next(peer for peer in others if peer.title == best.title)
    plain = race(scene, options, [ours, fastest], pipelining=False)
    return [
        *(reported(SECTION, one.title, str(one), **one.as_detail()) for one in scores.values()),
        ratio("Moa / one Celery task per mail", moa, naive, 10),
        ratio(f"Moa / the fastest peer ({best.title})", moa, best, 5),
        ratio("Moa / the limit", moa, scores[limit.title], 0.7),
        at_most(
            SECTION,
            "CPU per mail, all processes and servers, Moa / one Celery task per mail",
            moa.cpu_in_all / naive.cpu_in_all,
            0.10,
            " x",
        ),
        ratio("Moa / the fastest peer, no PIPELINING", plain[ours.title], plain[best.title], 3),
    ]


def ratio(name: str, ours: Score, theirs: Score, bound: float) -> Row:
    """A row that compares medians, with the ratio of every round."""
    by_round = [a / b for a, b in zip(ours.rates, theirs.rates, strict=True)]
    detail = {"by_round": by_round, "ours": ours.rates, "theirs": theirs.rates}
    return at_least(SECTION, name, ours.rate / theirs.rate, bound, " x", **detail)
