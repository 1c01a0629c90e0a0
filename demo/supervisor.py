"""Supervisor: start processes, wait until they are ready, and stop them together.

Each child has its own session, so a Ctrl-C in the terminal reaches only the supervisor. To stop a
child, only its main process gets SIGTERM: a SIGTERM to the whole group would end the pool of a
Celery worker first, and its main process would then wait forever.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import TextIO

LAST_LINES = 20
LOOK_EVERY = 0.1  # seconds
UNTIL_READ = 5  # seconds to read a child's last output; a grandchild may hold its pipe open
COLOURS = [36, 35, 33, 32, 34]
PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, kw_only=True)
class Program:
    """What a child runs, and how to tell when it is ready."""

    name: str
    command: list[str]
    says: str = ""
    """Ready once it has printed a line that contains this."""
    answers: Callable[[], bool] | None = None
    """Ready once this is true."""
    outlives: bool = False
    """Whether it is stopped only after the others, because they need it until then."""


class ChildDied(RuntimeError):
    """A child ended by itself; the message has its last lines."""


class NotReady(RuntimeError):
    """A child was not ready in time; the message names it."""


class Stopped(Exception):
    """SIGINT or SIGTERM asked to stop."""


class Supervisor:
    """A group of children that start and stop together."""

    def __init__(
        self,
        programs: Iterable[Program],
        *,
        environ: Mapping[str, str] | None = None,
        folder: str | None = None,
        output: TextIO = sys.stdout,
    ) -> None:
        self.programs = list(programs)
        self.environ = {**os.environ, **(environ or {})}
        self.folder = folder
        self.output = output
        self.children: list[Child] = []
        self.asked = 0

    def start(self) -> None:
        """Start every child, and treat SIGINT, SIGTERM and SIGHUP as requests to stop."""
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, self._ask)
        width = max(len(program.name) for program in self.programs)
        for number, program in enumerate(self.programs):
            prefix = f"{program.name:<{width}} | "
            if self.output.isatty():
                prefix = f"\033[{COLOURS[number % len(COLOURS)]}m{prefix}\033[0m"
            self.children.append(Child(program, prefix, self))
        for child in self.children:  # only once all exist: no thread may run at a fork
            child.reader.start()

    def wait_until_ready(self, *, seconds: float) -> None:
        """Return when all are ready. Raises ChildDied, NotReady or Stopped."""
        deadline = time.monotonic() + seconds
        while waiting := [child for child in self.children if not child.is_ready()]:
            self._look()
            if time.monotonic() > deadline:
                names = ", ".join(child.program.name for child in waiting)
                raise NotReady(f"not ready after {seconds:.0f} seconds: {names}")
            time.sleep(LOOK_EVERY)

    def watch(self) -> None:
        """Watch the children until a signal arrives or one dies. Raises ChildDied or Stopped."""
        while True:
            self._look()
            time.sleep(LOOK_EVERY)

    def stop(self, *, seconds: float = 10) -> None:
        """Stop every child, with SIGKILL after `seconds` or on a second signal."""
        asked_before = self.asked
        deadline = time.monotonic() + seconds
        for last in (False, True):
            wave = [child for child in self.children if child.program.outlives is last]
            for child in wave:
                child.terminate()
            while any(child.is_alive for child in wave):
                if time.monotonic() > deadline or self.asked > asked_before:
                    break
                time.sleep(LOOK_EVERY)
        for child in self.children:
            child.kill()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked += 1

    def _look(self) -> None:
        if self.asked:
            raise Stopped
        for child in self.children:
            if not child.is_alive:
                raise ChildDied(child.last_words())


class Child:
    """A started program, and the last lines it printed."""

    def __init__(self, program: Program, prefix: str, supervisor: Supervisor) -> None:
        self.program = program
        self.prefix = prefix
        self.output = supervisor.output
        self.lines: deque[str] = deque(maxlen=LAST_LINES)
        self.said = False
        self.process = subprocess.Popen(  # noqa: S603
            program.command,
            cwd=supervisor.folder,
            env=supervisor.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def is_ready(self) -> bool:
        """Whether it has printed the expected line and responds."""
        said = self.said or not self.program.says
        return said and (self.program.answers is None or self.program.answers())

    def terminate(self) -> None:
        if self.is_alive:
            self.process.terminate()

    def kill(self) -> None:
        """Kill whatever is left of its session."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reader.join(timeout=UNTIL_READ)

    def last_words(self) -> str:
        """Its exit code, and its last lines."""
        self.reader.join(timeout=UNTIL_READ)
        code = self.process.poll()
        return "\n".join((f"{self.program.name} ended with exit code {code}:", *self.lines))

    def _read(self) -> None:
        assert self.process.stdout is not None  # noqa: S101
        with self.process.stdout as lines:
            for raw in lines:
                self._take(raw.decode(errors="replace").rstrip())

    def _take(self, line: str) -> None:
        self.lines.append(line)
        self.said = self.said or (bool(self.program.says) and self.program.says in line)
        with suppress(OSError, ValueError):  # the reader is gone; the child must not block
            self.output.write(f"{self.prefix}{line}\n")
            self.output.flush()


def end_with_parent() -> None:
    """In a new child: get SIGTERM when the supervisor is killed. Linux only."""
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


prctl = getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None
