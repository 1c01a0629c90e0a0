"""Supervisor: start some processes, wait until they are ready, and end them all together.

Each child is a session of its own, so a Ctrl-C in the terminal reaches only the supervisor. To
end, the main process of each child is told SIGTERM and nothing else of it is: a SIGTERM to the
whole group ends the pool of a Celery worker first, and its main process then waits for ever.
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
UNTIL_READ = 5  # seconds for what a child has printed; a grandchild may hold its pipe open
COLOURS = [36, 35, 33, 32, 34]
PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, kw_only=True)
class Program:
    """What a child runs, and how to tell that it is ready."""

    name: str
    command: list[str]
    says: str = ""
    """Ready once it has printed a line with this."""
    answers: Callable[[], bool] | None = None
    """Ready once this is true."""
    outlives: bool = False
    """Whether it ends only after the others have, because they need it until then."""


class ChildDied(RuntimeError):
    """A child ended by itself; the text has its last lines."""


class NotReady(RuntimeError):
    """A child was not ready in time; the text says which."""


class Stopped(Exception):
    """SIGINT or SIGTERM asked to end."""


class Supervisor:
    """Some children that live and die together."""

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
        """Start every child, and take SIGINT, SIGTERM and SIGHUP as a wish to end."""
        for wish in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(wish, self._ask)
        width = max(len(program.name) for program in self.programs)
        for number, program in enumerate(self.programs):
            prefix = f"{program.name:<{width}} | "
            if self.output.isatty():
                prefix = f"\033[{COLOURS[number % len(COLOURS)]}m{prefix}\033[0m"
            self.children.append(Child(program, prefix, self))
        for child in self.children:  # not before all are there: no thread runs at a fork
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
        """Stay until something ends it. Raises ChildDied or Stopped."""
        while True:
            self._look()
            time.sleep(LOOK_EVERY)

    def stop(self, *, seconds: float = 10) -> None:
        """End every child within the limit, kindly if it can; a second signal makes it at once."""
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
    """One started program, and what it printed last."""

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
        """Whether it has said what it should and answers."""
        said = self.said or not self.program.says
        return said and (self.program.answers is None or self.program.answers())

    def terminate(self) -> None:
        if self.is_alive:
            self.process.terminate()

    def kill(self) -> None:
        """End whatever is left of its session."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reader.join(timeout=UNTIL_READ)

    def last_words(self) -> str:
        """How it ended, and the lines before that."""
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
        with suppress(OSError, ValueError):  # nobody reads any more; the child must not block
            self.output.write(f"{self.prefix}{line}\n")
            self.output.flush()


def end_with_parent() -> None:
    """In a new child: be told SIGTERM when the supervisor is killed. Linux only."""
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


prctl = getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None
