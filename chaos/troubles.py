"""Troubles: faults that last for a while and then end by themselves."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from chaos.hit import Action, Hit, Undo, choose, running
from chaos.plan import Fault
from chaos.stack import Stack
from chaos.unit import Unit
from tests.harness.sessions import members

QUEUES = ("mail.transactional", "mail.bulk")
REPLIES: list[dict[str, Any]] = [
    *({"phase": phase, "reply": "451 4.3.0 later"} for phase in ("mail", "rcpt", "data", "dot")),
    *({"phase": phase, "reply": "550 5.1.1 no"} for phase in ("mail", "rcpt", "data", "dot")),
    *({"phase": phase, "reply": "421 4.3.2 bye"} for phase in ("connect", "ehlo", "mail", "dot")),
    *({"phase": phase, "drop": True} for phase in ("connect", "ehlo", "mail", "rcpt", "data")),
    {"phase": "dot", "drop": True, "takes": True},
    {"phase": "dot", "drop": True, "takes": False},
    {"phase": "dot", "reply": "what?"},
    *({"phase": phase, "delay": 12} for phase in ("connect", "rcpt", "data", "dot")),
    {"phase": "quit", "drop": True},
]
"""What the SMTP server may do instead of accepting, a few times each."""
TIMES = 3


def freeze(prefix: str) -> Action:
    """SIGSTOP of a unit and all its children, then SIGCONT."""

    def act(fault: Fault, stack: Stack, hit: Hit) -> Undo | None:
        unit = choose(fault, running(stack.named(prefix)))
        if unit is None or not (session := unit.pid):
            return None
        pids = members(session)
        _signal(pids, signal.SIGSTOP)
        hit.target, hit.pids, hit.at = unit.name, pids, time.time()
        return partial(_thaw, unit, pids)

    return act


def _thaw(unit: Unit, pids: list[int]) -> None:
    left = {pid for session in unit.sessions for pid in members(session)}
    _signal([pid for pid in pids if pid in left], signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def freeze_pids(stack: Stack, prefix: str, *, thaw: bool = False) -> None:
    """SIGSTOP, or SIGCONT, of every process of some units."""
    for unit in stack.named(prefix):
        _signal(members(unit.pid or 0), signal.SIGCONT if thaw else signal.SIGSTOP)


def freeze_postgresql(fault: Fault, stack: Stack, hit: Hit) -> Undo | None:
    """SIGSTOP of the server and every session: connections stay open but silent."""
    unit = stack.units["postgresql"]
    if not unit.pid:
        return None
    pids = [unit.pid, *unit.children()]
    _signal(pids, signal.SIGSTOP)
    hit.target, hit.at = unit.name, time.time()
    return partial(_signal, pids, signal.SIGCONT)


def ask_broker(call: Callable[[Stack, Fault], Any], undo: Callable[[Stack], Any] | None) -> Action:
    """A fault caused through the broker's own command; a broker that is down is not hit."""

    def act(fault: Fault, stack: Stack, hit: Hit) -> Undo | None:
        unit = stack.units["broker"]
        if not (unit.pid and unit.ups):
            return None
        try:
            call(stack, fault)
        except (subprocess.CalledProcessError, OSError):
            return None
        hit.target, hit.at = unit.name, time.time()
        return partial(_quietly, undo, stack) if undo else lambda: None

    return act


def _quietly(undo: Callable[[Stack], Any], stack: Stack) -> None:
    """An alarm ends by itself when the broker was killed meanwhile."""
    with suppress(subprocess.CalledProcessError, OSError):
        undo(stack)


def wipe_broker(fault: Fault, stack: Stack, hit: Hit) -> Undo | None:
    """SIGKILL, and a restart without its data."""
    unit = stack.units["broker"]
    with suppress(OSError, ValueError):
        if unit.pid:
            stack.broker_is_to_be_wiped = True
            os.kill(stack.broker.pid, signal.SIGKILL)
            hit.target, hit.at = unit.name, time.time()
    return None


def kill_sink(fault: Fault, stack: Stack, hit: Hit) -> Undo | None:
    """SIGKILL of the SMTP server."""
    unit = stack.units["smtp"]
    if unit.pid:
        os.kill(unit.pid, signal.SIGKILL)
        hit.target, hit.at = unit.name, time.time()
    return None


def rule(fault: Fault, stack: Stack, hit: Hit) -> Undo | None:
    """The SMTP server gives a few bad replies, as real ones do."""
    what = choose(fault, REPLIES)
    if what and stack.steer("smtp", do="on", times=TIMES, **what):
        hit.target, hit.detail = "smtp", " ".join(f"{k}={v}" for k, v in what.items())
        return lambda: None
    return None


def network(what: str, **more: Any) -> Action:
    """A fault of the connection between workers and SMTP server."""

    def act(fault: Fault, stack: Stack, hit: Hit) -> Undo | None:
        if not stack.steer("proxy.smtp", do=what, **more):
            return None
        hit.target, hit.at = "network", time.time()
        return partial(_mend, stack)

    return act


def _mend(stack: Stack) -> None:
    stack.steer("proxy.smtp", do="clear")


TROUBLES: dict[str, Action] = {
    "web.freeze": freeze("web"),
    "relay.freeze": freeze("relay"),
    "worker.freeze": freeze("worker"),
    "smtp.freeze": freeze("smtp"),
    "postgresql.freeze": freeze_postgresql,
    "broker.freeze": ask_broker(lambda s, _: s.broker.freeze(), lambda s: s.broker.thaw()),
    "broker.alarm": ask_broker(
        lambda s, _: s.broker.alarm(on=True), lambda s: s.broker.alarm(on=False)
    ),
    "broker.queue.delete": ask_broker(
        lambda s, fault: s.broker.ctl("delete_queue", choose(fault, QUEUES) or ""), None
    ),
    "broker.wipe": wipe_broker,
    "smtp.kill": kill_sink,
    "smtp.rule": rule,
    "network.cut": network("cut"),
    "network.reset": network("reset"),
    "network.refuse": network("refuse"),
    "network.half": network("half"),
    "network.slow": network("slow", rate=2000),
}
