"""The plan: which faults, in which order and at which intervals. A pure function of the seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

CLOSEST, FARTHEST = 2.0, 4.0  # seconds between two faults

KILLS = {
    "web.master.kill": 2,
    "web.worker.kill": 4,
    "relay.kill": 6,
    "worker.parent.kill": 6,
    "worker.child.kill": 9,
    "worker.machine.kill": 5,
    "broker.kill": 3,
    "postgresql.kill": 1,
    "postgresql.backend.kill": 1,
    "postgresql.crash": 1,
    "postgresql.stop": 1,
}
"""The relative frequency of each fault. Those that end in `kill` are SIGKILLs."""

OTHERS = {
    "web.freeze": 1,
    "relay.freeze": 1,
    "worker.freeze": 2,
    "broker.freeze": 1,
    "broker.alarm": 1,
    "broker.queue.delete": 1,
    "broker.wipe": 1,
    "postgresql.freeze": 1,
    "smtp.kill": 1,
    "smtp.freeze": 1,
    "smtp.rule": 4,
    "network.cut": 1,
    "network.reset": 1,
    "network.refuse": 1,
    "network.half": 1,
    "network.slow": 1,
}
FEW = {
    "web.master.kill": 1,
    "web.worker.kill": 1,
    "relay.kill": 2,
    "worker.parent.kill": 2,
    "worker.child.kill": 5,
    "worker.machine.kill": 3,
    "broker.kill": 5,
    "broker.freeze": 1,
    "postgresql.kill": 1,
    "postgresql.backend.kill": 1,
    "postgresql.crash": 2,
    "postgresql.stop": 1,
    "smtp.kill": 2,
    "smtp.freeze": 1,
    "network.refuse": 2,
}
"""Thirty faults, which the soak shuffles: enough of each with a recovery target."""
MIXES = {"kills": KILLS, "all": KILLS | OTHERS, "soak": FEW}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One planned fault, independent of which process it will hit."""

    number: int
    after: float
    """Seconds after the previous fault."""
    kind: str
    choice: float
    """In [0, 1): selects one of several processes, queues or replies."""
    lasts: float
    """Duration in seconds of a fault that ends by itself."""

    @property
    def is_sigkill(self) -> bool:
        return self.kind.endswith(".kill")


def faults(seed: int, *, mix: str = "kills", closest: float = CLOSEST) -> Iterator[Fault]:
    """The endless series of faults of a seed."""
    drawn = random.Random(seed)  # noqa: S311
    weights = MIXES[mix]
    deck: list[str] = []
    for number in count(1):
        if mix == "soak":  # a short series: each kind in its frequency, in random order
            deck = deck or drawn.sample(
                list(weights), counts=weights.values(), k=sum(weights.values())
            )
        yield Fault(
            number=number,
            after=round(drawn.uniform(closest, closest + FARTHEST - CLOSEST), 3),
            kind=deck.pop() if deck else drawn.choices(list(weights), list(weights.values()))[0],
            choice=drawn.random(),
            lasts=round(drawn.uniform(3, 20), 1),
        )
