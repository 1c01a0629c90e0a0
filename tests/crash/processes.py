"""Processes from the nursery, and the points at which they stop."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.crash.hooks import POINTS, _file
from tests.harness.ports import PATIENCE, wait_until
from tests.harness.processes import PROJECT, Processes


class Child:
    """A process that the nursery forked."""

    def __init__(self, pid: int, ended: Path) -> None:
        self.pid = pid
        self.ended = ended

    def poll(self) -> int | None:
        return int(self.ended.read_text()) if self.ended.exists() else None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative for a signal. Raises TimeoutExpired."""
        try:
            wait_until(lambda: self.ended.exists(), seconds=timeout or 60)
        except TimeoutError:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 60) from None
        return int(self.ended.read_text())

    def terminate(self) -> None:
        os.kill(self.pid, 15)


class Nursery:
    """The process that forks the others; see nursery.py."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="moa-nursery-"))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery", str(self.folder)],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._hear()

    def fork(self, arguments: tuple[str, ...], environ: Mapping[str, str], log: Path) -> Child:
        """Start one as `python ARGUMENTS` would."""
        order = {"arguments": arguments, "environ": dict(environ), "log": str(log)}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        pid = int(self._hear())
        return Child(pid, self.folder / f"{pid}.ended")

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        for file in self.folder.iterdir():
            file.unlink()
        self.folder.rmdir()

    def _hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


class Point:
    """Where a process will stop: `Point(folder, "dot:user2@*")`."""

    def __init__(self, folder: Path, *asked: str) -> None:
        unknown = {one.partition(":")[0] for one in asked} - set(POINTS)
        if unknown:
            raise ValueError(f"no points {unknown}")
        self.asked = asked
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        for one in asked:
            os.mkfifo(self.folder / f"leave {_file(one)}")

    @property
    def environ(self) -> dict[str, str]:
        return {"CRASH_AT": " ".join(self.asked), "CRASH_FOLDER": str(self.folder)}

    def wait(self, *, seconds: float = 60) -> "Point":
        """Wait until the process has arrived, at each of the points if there are several."""
        wait_until(lambda: not self.missing(), seconds=seconds, what=f"arrival at {self.asked}")
        return self

    def missing(self) -> list[str]:
        return [one for one in self.asked if not (self.folder / f"arrived {_file(one)}").exists()]

    def release(self) -> None:
        """Continue what has arrived."""
        for one in set(self.asked) - set(self.missing()):
            wait_until(lambda one=one: self._leave(one), what=f"leave for {one}")

    def _leave(self, asked: str) -> bool:
        """Open the FIFO; false while nobody reads it, as one does not that was just continued."""
        try:
            os.close(os.open(self.folder / f"leave {_file(asked)}", os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True


class Stage(Processes):
    """The processes of one test; any may be told to stop at a Point."""

    def __init__(self, environ: Mapping[str, str], nursery: Nursery, folder: Path) -> None:
        super().__init__(environ, nursery.fork)
        self.folder = folder

    def point(self, *asked: str) -> Point:
        return Point(self.folder, *asked)
