"""Units: processes that are restarted whenever they end, as by systemd."""

import subprocess
import threading
import time
from collections.abc import Callable

from tests.harness.sessions import children, end_session

PAUSE = 0.5  # seconds between an end and the next start

Start = Callable[[], "subprocess.Popen[bytes]"]
"""Starts the unit and returns once it works; called again whatever it raises."""


class Unit:
    """One supervised process, and when it was up and down."""

    def __init__(self, name: str, start: Start, *, tidy: bool = False) -> None:
        self.name = name
        self.start = start
        self.tidy = tidy
        """Whether its orphans are killed before a restart, as a service manager does."""
        self.process: subprocess.Popen[bytes] | None = None
        self.sessions: list[int] = []
        """The pids of all its main processes so far; each began its own session."""
        self.ups: list[float] = []
        self.trouble: list[str] = []
        self.ending = threading.Event()
        self.keeper = threading.Thread(target=self._keep, name=name, daemon=True)

    def begin(self) -> None:
        """Start it and return once it works."""
        self.process = self.start()
        self.sessions.append(self.process.pid)
        self.ups.append(time.time())
        self.keeper.start()

    def end(self) -> None:
        """Restart it no more; the running process is left."""
        self.ending.set()

    @property
    def pid(self) -> int | None:
        """The pid of its running process, or None while it is down."""
        process = self.process
        return process.pid if process is not None and process.poll() is None else None

    def children(self) -> list[int]:
        """The pids of its direct children: the processes of a pool."""
        return children(self.pid)

    def up_after(self, moment: float) -> float | None:
        """When it was up again for the first time after `moment`."""
        return next((up for up in self.ups if up > moment), None)

    def _keep(self) -> None:
        while not self.ending.is_set():
            process = self.process
            if process is not None and process.poll() is None:
                time.sleep(0.02)
                continue
            self.process = None
            if self.ending.wait(PAUSE):
                return
            if self.tidy and self.sessions:
                end_session(self.sessions[-1])
            try:
                self.process = self.start()
            except Exception as error:  # it was killed while it started, most likely
                self.trouble.append(f"{type(error).__name__}: {str(error)[:200]}")
                continue
            self.sessions.append(self.process.pid)
            self.ups.append(time.time())
