"""scale: the cost of a mail does not depend on how many there are.

Two databases, one with a thousand Deliveries and one with a million, take turns: each step runs
alternately on both, many times. The lower quartiles are compared, because other load on the
machine only makes a step slower.
"""

from bench.asked import Asked
from bench.moa import Moa
from bench.options import Options
from bench.rows import Row, at_most, percentile
from bench.scene import Scene
from tests.harness.smtp_process import SmtpProcess

FEW = 1000
BOUND = 1.15
WARM = 2  # rounds that are not counted


def run(scene: Scene, options: Options) -> list[Row]:
    """A row for each step, and one for a claim after many updates."""
    many = options.pick(1_000_000, 10_000)
    with SmtpProcess() as sink, scene.moa(sink.url) as small, scene.moa(sink.url) as large:
        rows = _compare(small, large, many=many, rounds=options.pick(50, 8))
        rows += _cancelled(large, many // 2, every=options.pick(10, 1))
    with scene.moa("smtp://127.0.0.1:9") as fresh, scene.moa("smtp://127.0.0.1:9") as worn:
        updates = options.pick(1_000_000, 10_000)
        return [*rows, _after_updates(fresh, worn, updates=updates, turns=options.pick(30, 6))]


def _compare(small: Moa, large: Moa, *, many: int, rounds: int) -> list[Row]:
    asked, messages = [], []
    for moa, count in ((small, FEW), (large, many)):
        asked.append(moa.acts())
        messages.append(_fill(asked[-1], count))
    took: list[dict[str, list[float]]] = [{}, {}]
    for number in range(WARM + rounds):
        turn = list(zip(asked, messages, took, strict=True))
        for acts, message, found in turn if number % 2 else reversed(turn):
            steps = acts.ask("probe", message=message, mails=max(1, FEW // 4 // rounds))
            for name, seconds in steps.items():
                if number >= WARM:
                    found.setdefault(name, []).append(seconds)
    return [
        _row(f"{name}: {many:,} rows / {FEW:,}", *(found[name] for found in took))
        for name in took[0]
    ]


def _cancelled(large: Moa, waiting: int, *, every: int) -> list[Row]:
    """The relay's pages when the broadcast whose mails wait is cancelled, and what it does besides."""
    acts = large.acts()
    ((message,),) = large.rows("SELECT id FROM mail_message WHERE queued >= %s", waiting // 2)
    _fill(acts, FEW)
    took = acts.ask("turn", message=message, every=every)
    (turned, turned_last), (bound, bound_last) = map(_fifths, (took["pages"], took["binding"]))
    name = f"a cancelled broadcast of {waiting:,}"
    return [
        _row(f"{name}: a page at last / at first", turned, turned_last),
        _row(f"{name}: dispatch at first / at last", bound_last, bound),
    ]


def _fifths(took: list[float]) -> tuple[list[float], list[float]]:
    """The first and the last fifth."""
    fifth = -(-len(took) // 5)
    return took[:fifth], took[-fifth:]


def _fill(acts: Asked, count: int) -> int:
    """Half of the Deliveries are receipts that were sent, half a broadcast's that are due."""
    terms = acts.ask("product", subscribers=1)["terms"]
    message = int(acts.ask("publish", terms=terms)["message"])
    acts.ask("fill", message=message, receipts=count // 2, waiting=count // 2)
    return message


def _after_updates(fresh: Moa, worn: Moa, *, updates: int, turns: int) -> Row:
    """Claims where nothing has happened, and where cursors moved so often, by turns."""
    asked = [fresh.acts(), worn.acts()]
    for acts in asked:
        _fill(acts, FEW)
    asked[1].ask("wear", updates=updates)
    took: list[list[float]] = [[], []]
    for number in range(turns + 1):
        for acts, found in zip(asked, took, strict=True):
            seconds = acts.ask("claim", times=10)["seconds"]
            found += seconds if number else []  # the first turn warms up
    return _row(f"a claim after {updates:,} updates / before", *took)


def _row(name: str, few: list[float], many: list[float]) -> Row:
    low, high = percentile(few, 0.25), percentile(many, 0.25)
    return at_most(
        *("scale", name, high / low, BOUND, "x"),
        ms=[round(low * 1000, 3), round(high * 1000, 3)],
        times=len(few),
    )
