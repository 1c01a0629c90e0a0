"""What the sections ask of a contender."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from bench.scene import Scene
from bench.sinks import Sink


class Contender(Protocol):
    """One way to send many mails, in its best documented setting."""

    title: str
    warm: int
    """Mails that nobody counts; their rate says how many are a round."""
    least: int
    """Mails of a full round at least; a fifth of them in a quick one."""

    def start(self, scene: Scene, sink: Sink, notice: Path, ending: ExitStack) -> None:
        """Start its processes, which `ending` ends; returns when they work."""

    def prepare(self, count: int) -> None:
        """Make what is there before the clock starts, such as the recipients' rows."""

    def send(self, count: int) -> float:
        """Hand over as many mails; the moment it began, on the clock `monotonic`."""

    @property
    def roots(self) -> Mapping[str, int]:
        """The pids of the trees whose CPU and memory count."""

    def trouble(self) -> str:
        """Why no more mails will come, or nothing."""
