"""The interface of a contender."""

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
    """Warm-up mails, which are not counted; their rate determines the size of a round."""
    least: int
    """The least mails of a full round; a quick one has a fifth of them."""

    def start(self, scene: Scene, sink: Sink, notice: Path, ending: ExitStack) -> None:
        """Start its processes, which `ending` ends; returns when they work."""

    def prepare(self, count: int) -> None:
        """Create what exists before the clock starts, such as the recipients' rows."""

    def send(self, count: int) -> float:
        """Hand over that many mails; return when it began, on the clock `monotonic`."""

    @property
    def roots(self) -> Mapping[str, int]:
        """The pids of the process trees whose CPU and memory count."""

    def trouble(self) -> str:
        """Why no more mails will come, or nothing."""
