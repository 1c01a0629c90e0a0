"""Faults: what each kind in a plan does to a stack."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from chaos.plan import Fault
from chaos.stack import Stack
from chaos.unit import Unit, send

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


def carry_out(fault: Fault, stack: Stack) -> Hit:
    """Do what the plan says to whoever is there; a target that is down already is not hit."""
    hit = Hit(number=fault.number, kind=fault.kind, at=time.time())
    ACTIONS[fault.kind](fault, stack, hit)
    return hit


def _kill_one(prefix: str) -> Callable[[Fault, Stack, Hit], None]:
    """SIGKILL of the main process of one of the units; its children are left to themselves."""

    def act(fault: Fault, stack: Stack, hit: Hit) -> None:
        unit = _pick(fault, _running(stack.named(prefix)))
        if unit is not None and (pid := unit.pid):
            family = [pid, *unit.children()]
            _kill(hit, unit, [pid])
            hit.pids = family

    return act


def _kill_child(prefix: str) -> Callable[[Fault, Stack, Hit], None]:
    """SIGKILL of one process of a pool."""

    def act(fault: Fault, stack: Stack, hit: Hit) -> None:
        pools = [(unit, pid) for unit in stack.named(prefix) for pid in unit.children()]
        picked = _pick(fault, pools)
        if picked is not None:
            _kill(hit, picked[0], [picked[1]])

    return act


def _kill_machine(prefix: str) -> Callable[[Fault, Stack, Hit], None]:
    """SIGKILL of a unit and all its children at once, as when its machine is gone."""

    def act(fault: Fault, stack: Stack, hit: Hit) -> None:
        unit = _pick(fault, _running(stack.named(prefix)))
        if unit is not None and (pid := unit.pid):
            _kill(hit, unit, [pid, *unit.children()])

    return act


def _kill_broker(fault: Fault, stack: Stack, hit: Hit) -> None:
    unit = stack.units["broker"]
    with suppress(OSError, ValueError):
        if unit.pid:
            _kill(hit, unit, [stack.broker.pid])


def _signal_postgresql(number: signal.Signals) -> Callable[[Fault, Stack, Hit], None]:
    """SIGQUIT is an immediate stop, a crash; SIGINT a fast one."""

    def act(fault: Fault, stack: Stack, hit: Hit) -> None:
        unit = stack.units["postgresql"]
        if send(unit.pid, number):
            hit.target, hit.at = unit.name, time.time()

    return act


def _kill_backend(fault: Fault, stack: Stack, hit: Hit) -> None:
    """SIGKILL of one session's process, as the OOM killer does: all sessions end, it recovers."""
    unit = stack.units["postgresql"]
    backends = [pid for pid in unit.children() if b"127.0.0.1" in _command(pid)]
    picked = _pick(fault, backends)
    if picked is not None:
        _kill(hit, unit, [picked])


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _kill(hit: Hit, unit: Unit, pids: list[int]) -> None:
    """All of them stand still before the first dies, so none acts on the death of another."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
    hit.target, hit.pids, hit.at = unit.name, pids, time.time()


def _running(units: Sequence[Unit]) -> list[Unit]:
    return [unit for unit in units if unit.pid is not None]


def _pick(fault: Fault, candidates: Sequence[T]) -> T | None:
    return candidates[int(fault.choice * len(candidates))] if candidates else None


ACTIONS: dict[str, Callable[[Fault, Stack, Hit], None]] = {
    "web.master.kill": _kill_one("web"),
    "web.worker.kill": _kill_child("web"),
    "relay.kill": _kill_one("relay"),
    "worker.parent.kill": _kill_one("worker"),
    "worker.child.kill": _kill_child("worker"),
    "worker.machine.kill": _kill_machine("worker"),
    "broker.kill": _kill_broker,
    "postgresql.kill": _signal_postgresql(signal.SIGKILL),
    "postgresql.backend.kill": _kill_backend,
    "postgresql.crash": _signal_postgresql(signal.SIGQUIT),
    "postgresql.stop": _signal_postgresql(signal.SIGINT),
}
