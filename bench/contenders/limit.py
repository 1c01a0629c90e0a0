"""The limit: `smtp-source`, a sender in C that keeps its connections and no record."""

import json
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from bench import postfix
from bench.scene import Scene
from bench.sinks import Sink


class Limit:
    """As many sessions as Moa has worker processes, with mails of the same length."""

    warm, least = 2_000, 20_000

    def __init__(self, *, sessions: int = 2) -> None:
        self.sessions = sessions
        plural = "s" if sessions > 1 else ""
        self.title = f"smtp-source, {sessions} session{plural} (the limit)"
        self.octets = 0
        self.sink: Sink

    def start(self, scene: Scene, sink: Sink, notice: Path, ending: ExitStack) -> None:
        self.sink, self.octets = sink, json.loads(notice.read_text())["octets"]

    def prepare(self, count: int) -> None:
        """Nothing: smtp-source generates its mails."""

    def send(self, count: int) -> float:
        began = time.monotonic()
        subprocess.run(  # noqa: S603
            [
                *(str(postfix.program("smtp-source")), "-d", "-s", str(self.sessions)),
                *("-m", str(count), "-l", str(self.octets)),
                *("-f", "shop@moa.example", "-t", "reader@example.com"),
                f"127.0.0.1:{self.sink.port}",
            ],
            env=postfix.environ(),
            check=True,
        )
        return began

    @property
    def roots(self) -> Mapping[str, int]:
        return {}

    def trouble(self) -> str:
        return ""
