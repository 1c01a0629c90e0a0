"""The rows of the fault matrix, and what they share.

A row is a function of the scene and of a number in [0, 1) by which the seed shifts its timing. It
returns what was observed, or raises Failed. Its docstring states what is expected and is printed.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass

from chaos.scene import Mail, Scene, expect
from tests.harness.sessions import send

Act = Callable[[Scene, float], str]


@dataclass(frozen=True)
class Row:
    name: str
    act: Act
    seeds: int
    """The number of seeds it runs with: three if it depends on timing."""

    @property
    def expected(self) -> str:
        return " ".join((self.act.__doc__ or "").split())


ROWS: list[Row] = []


def row(name: str, *, seeds: int = 1) -> Callable[[Act], Act]:
    """Make a function a row of the matrix."""

    def register(act: Act) -> Act:
        ROWS.append(Row(name, act, seeds))
        return act

    return register


def caught(scene: Scene, phase: str, ask: Callable[[], Mail], *, delay: float = 20) -> Mail:
    """A mail that the server has just stalled in a phase."""
    mark = _commands(scene)
    scene.stack.steer("smtp", do="on", phase=phase, delay=delay, times=1, tells=True)
    mail = ask()
    scene.wait(lambda: _commands(scene) > mark, f"{phase} of {mail.address}")
    return mail


def _commands(scene: Scene) -> int:
    """How many rules that tell were reached."""
    return scene.stack.log_of("smtp").count("reached")


def ends(scene: Scene, mail: Mail, wanted: str) -> str:
    seconds = scene.rest()
    expect(mail.seen, wanted)
    return f"at rest after {seconds:.1f} s"


def kill(pid: int) -> None:
    """SIGKILL."""
    send(pid, signal.SIGKILL)
