"""Kills: instantaneous faults; the supervisor restarts what has ended."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from chaos.hit import Action, Hit, choose, running
from chaos.plan import Fault
from chaos.stack import Stack
from chaos.unit import Unit
from tests.harness.sessions import send


def _kill_one(prefix: str) -> Action:
    """SIGKILL of a unit's main process; its children are left running."""

    def act(fault: Fault, stack: Stack, hit: Hit) -> None:
        unit = choose(fault, running(stack.named(prefix)))
        if unit is not None and (pid := unit.pid):
            family = [pid, *unit.children()]
            _kill(hit, unit, [pid])
            hit.pids = family

    return act


def _kill_child(prefix: str) -> Action:
    """SIGKILL of one process of a pool."""

    def act(fault: Fault, stack: Stack, hit: Hit) -> None:
        pools = [(unit, pid) for unit in stack.named(prefix) for pid in unit.children()]
        picked = choose(fault, pools)
        if picked is not None:
            _kill(hit, picked[0], [picked[1]])

    return act


def _kill_machine(prefix: str) -> Action:
    """SIGKILL of a unit and all its children at once, as if its machine had failed."""

    def act(fault: Fault, stack: Stack, hit: Hit) -> None:
        unit = choose(fault, running(stack.named(prefix)))
        if unit is not None and (pid := unit.pid):
            _kill(hit, unit, [pid, *unit.children()])

    return act


def _kill_broker(fault: Fault, stack: Stack, hit: Hit) -> None:
    unit = stack.units["broker"]
    with suppress(OSError, ValueError):
        if unit.pid:
            _kill(hit, unit, [stack.broker.pid])


def _signal_postgresql(number: signal.Signals) -> Action:
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
    picked = choose(fault, backends)
    if picked is not None:
        _kill(hit, unit, [picked])


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _kill(hit: Hit, unit: Unit, pids: list[int]) -> None:
    """Stop all of them before the first dies, so that none reacts to another's death."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
    hit.target, hit.pids, hit.at = unit.name, pids, time.time()


KILLS: dict[str, Action] = {
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
