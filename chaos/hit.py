"""Hit: a fault that was carried out."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from chaos.plan import Fault
from chaos.stack import Stack
from chaos.unit import Unit

T = TypeVar("T")


@dataclass
class Hit:
    """A fault that was carried out, its target and its time."""

    number: int
    kind: str
    at: float
    target: str = ""
    """The unit that was hit; empty if none was up."""
    pids: list[int] = field(default_factory=list)
    """The processes that it hit."""
    ended_at: float | None = None
    """When the fault itself ended: the process resumed, the link restored."""
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
"""Carries out a kind of fault, notes its target, and returns a function that ends it."""


def running(units: Sequence[Unit]) -> list[Unit]:
    return [unit for unit in units if unit.pid is not None]


def choose(fault: Fault, candidates: Sequence[T]) -> T | None:
    """The one that the plan selects, or None if there is none."""
    return candidates[int(fault.choice * len(candidates))] if candidates else None
