"""Hit: a fault that met somebody."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from chaos.plan import Fault
from chaos.stack import Stack
from chaos.unit import Unit

T = TypeVar("T")


@dataclass
class Hit:
    """A fault that was carried out, on whom, and when."""

    number: int
    kind: str
    at: float
    target: str = ""
    """The unit that was hit; empty: there was none to hit."""
    pids: list[int] = field(default_factory=list)
    """The processes that it hit."""
    ended_at: float | None = None
    """When the fault itself was over: the process thawed, the link whole again."""
    detail: str = ""

    @property
    def landed(self) -> bool:
        return bool(self.target)

    @property
    def is_sigkill(self) -> bool:
        return self.landed and self.kind.endswith(".kill")

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value not in ("", [], None)}


Undo = Callable[[], None]
Action = Callable[[Fault, Stack, Hit], Undo | None]
"""Does what a kind of fault says, fills in whom it hit, and returns what ends it."""


def running(units: Sequence[Unit]) -> list[Unit]:
    return [unit for unit in units if unit.pid is not None]


def choose(fault: Fault, candidates: Sequence[T]) -> T | None:
    """The one that the plan chose; None when there is none."""
    return candidates[int(fault.choice * len(candidates))] if candidates else None
