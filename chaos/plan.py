"""The plan: which faults, in which order, how far apart. A pure function of the seed."""

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
"""How often each fault comes, beside the others. Those that end in `kill` are SIGKILLs."""

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
MIXES = {"kills": KILLS, "all": KILLS | OTHERS}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault, before anybody knows which process will be there to be hit."""

    number: int
    after: float
    """Seconds since the fault before it."""
    kind: str
    choice: float
    """In [0, 1): which of several processes, queues or replies."""
    lasts: float
    """Seconds, of a fault that ends by itself."""

    @property
    def is_sigkill(self) -> bool:
        return self.kind.endswith(".kill")


def faults(seed: int, *, mix: str = "kills", closest: float = CLOSEST) -> Iterator[Fault]:
    """The endless series of faults that a seed stands for."""
    drawn = random.Random(seed)  # noqa: S311
    weights = MIXES[mix]
    for number in count(1):
        yield Fault(
            number=number,
            after=round(drawn.uniform(closest, closest + FARTHEST - CLOSEST), 3),
            kind=drawn.choices(list(weights), list(weights.values()))[0],
            choice=drawn.random(),
            lasts=round(drawn.uniform(3, 20), 1),
        )
