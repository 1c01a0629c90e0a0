"""Units: what is started again whenever it ends, as systemd would."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PAUSE = 0.5  # seconds between an end and the next start

Start = Callable[[], "subprocess.Popen[bytes]"]
"""Starts the unit and returns once it works; whatever it raises, it is called again."""


class Unit:
    """One supervised process, and when it was up and down."""

    def __init__(self, name: str, start: Start, *, tidy: bool = False) -> None:
        self.name = name
        self.start = start
        self.tidy = tidy
        """Whether its orphans are ended before it is started again, as a service manager does."""
        self.process: subprocess.Popen[bytes] | None = None
        self.sessions: list[int] = []
        """The pids of all processes it ever was: each began a session of its own."""
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
        """Start it no more; what runs is left to be ended."""
        self.ending.set()

    @property
    def pid(self) -> int | None:
        """The pid of what runs now, or None while it is down."""
        process = self.process
        return process.pid if process is not None and process.poll() is None else None

    def children(self) -> list[int]:
        """The pids of its direct children: the processes of a pool."""
        with suppress(OSError):
            listed = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
            return [pid for pid in map(int, listed.split()) if is_alive(pid)]
        return []

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


def launch(
    command: list[str],
    *,
    environ: dict[str, str],
    log: Path,
    folder: Path,
    steered: bool = False,
) -> "subprocess.Popen[bytes]":
    """Start a program in a session of its own, all that it prints at the end of `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.PIPE if steered else subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def send(pid: int | None, number: signal.Signals) -> bool:
    """Send a signal; whether there was somebody to get it."""
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie, dead but not yet noticed by its parent."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def members(session: int) -> list[int]:
    """The pids of a session, orphans included."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session and fields[0] != "Z":
                    found.append(int(entry.name))
    return found


def end_session(session: int) -> None:
    """SIGKILL to all that is left of a session."""
    for pid in members(session):
        send(pid, signal.SIGKILL)
