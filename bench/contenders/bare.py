"""Bare senders in Python, one per worker process of Moa, with or without checkpoints."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import psycopg

from bench import bare
from bench.scene import Scene
from bench.sinks import Sink
from tests.harness.processes import PROJECT

PROCESSES = 2


class Bare:
    """`bench.bare`: the most Moa could reach by sending alone, or with checkpoints."""

    warm, least = 2_000, 20_000

    def __init__(self, *, marks: bool) -> None:
        self.marks = marks
        self.title = f"Bare sender in Python, 2 processes{', a mark before each dot' * marks}"
        self.told: list[str] = []
        self.sink: Sink

    def start(self, scene: Scene, sink: Sink, notice: Path, ending: ExitStack) -> None:
        self.sink = sink
        self.told = [str(json.loads(notice.read_text())["octets"])]
        if self.marks:
            self.told.append(scene.postgresql.url())
            with psycopg.connect(scene.postgresql.url(), autocommit=True) as session:
                session.execute(bare.TABLE)

    def prepare(self, count: int) -> None:
        """Nothing: every mail is the same."""

    def send(self, count: int) -> float:
        began = time.monotonic()
        shares = [count // PROCESSES, count - count // PROCESSES]
        senders = [self._start(share) for share in shares]
        if any(sender.wait() for sender in senders):
            raise RuntimeError("a bare sender failed")
        return began

    def _start(self, share: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "bench.bare", str(self.sink.port), str(share), *self.told]
        return subprocess.Popen(command, cwd=PROJECT)  # noqa: S603

    @property
    def roots(self) -> Mapping[str, int]:
        return {}

    def trouble(self) -> str:
        return ""
