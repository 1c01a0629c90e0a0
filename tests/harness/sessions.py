"""Programs in their own sessions: start one, list its processes, kill all of it.

Standard library only.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent


def launch(
    command: Sequence[str | Path],
    *,
    environ: Mapping[str, str] | None = None,
    log: Path | None = None,
    steered: bool = False,
    answers: bool = False,
    folder: Path = PROJECT,
    user: str | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a program in its own session.

    What it prints goes to the end of `log`, or where ours goes. `steered` leaves its standard
    input open as a pipe; `answers` its standard output, too. `user` is who it runs as.
    """
    with (log or Path(os.devnull)).open("ab") as output:
        printed = output if log else None
        return subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.PIPE if steered else subprocess.DEVNULL,
            stdout=subprocess.PIPE if answers else printed,
            stderr=printed,
            user=user,
            start_new_session=True,
        )


def python(*arguments: str) -> list[str]:
    """The command that runs a Python program with the interpreter of this one."""
    return [sys.executable, *arguments]


def send(pid: int | None, number: signal.Signals) -> bool:
    """Send a signal; return whether the process existed."""
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def is_alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def children(pid: int | None) -> list[int]:
    """The pids of the direct children of a process that are alive."""
    with suppress(OSError):
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [child for child in map(int, listed.split()) if is_alive(child)]
    return []


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
