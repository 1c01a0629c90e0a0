"""Moa's own processes, started as production starts them, in an environment of the test's."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.harness.ports import wait_until

PROJECT = Path(__file__).resolve().parent.parent.parent
RELAY = ["manage.py", "relay"]
WORKER = ["-m", "celery", "-A", "moa", "worker", "--loglevel", "INFO"]


class Process:
    """One process of Moa, with everything it prints in a file."""

    def __init__(self, *arguments: str, environ: Mapping[str, str], name: str, ready: str) -> None:
        self.name = name
        self.ready = re.compile(ready)
        self.log = Path(tempfile.mkstemp(prefix=f"moa-{name}-", suffix=".log")[1])
        with self.log.open("wb") as log:
            self.popen = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=PROJECT,
                env=os.environ | dict(environ) | {"PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self, *, seconds: float = 60) -> "Process":
        """Wait until its log says that it works; raises NotReady with the log if it ends."""
        wait_until(
            lambda: self.ready.search(self.output()),
            seconds=seconds,
            every=0.05,
            what=self.name,
            alive=self._trouble,
        )
        return self

    def output(self) -> str:
        """All it has printed so far."""
        return self.log.read_text(errors="replace")

    def is_running(self) -> bool:
        return self.popen.poll() is None

    def children(self) -> list[int]:
        """The pids of its direct children, such as the slots of a prefork worker."""
        listed = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children")
        return [int(pid) for pid in listed.read_text().split()] if listed.exists() else []

    def stop(self, *, seconds: float = 20) -> int:
        """SIGTERM, as a deployment does; returns the exit code. Kills it after `seconds`."""
        if self.is_running():
            self.popen.terminate()
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return self.popen.wait()

    def kill(self) -> None:
        """SIGKILL to the process and its children, all at once: the machine is gone."""
        if self.is_running():
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def freeze(self) -> None:
        os.killpg(self.popen.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self.popen.pid, signal.SIGCONT)

    def discard(self) -> str:
        """End it however it is and remove the log; returns what it had printed."""
        self.kill()
        printed = self.output()
        self.log.unlink(missing_ok=True)
        return printed

    def _trouble(self) -> str:
        if self.is_running():
            return ""
        return f"it ended with {self.popen.returncode}:\n{self.output()[-4000:]}"


class Processes:
    """The processes that one test started."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = dict(environ)
        self.started: list[Process] = []

    def relay(self, **environ: str) -> Process:
        """Start a relay; it is ready when it leads, or has led and waits."""
        return self._start(*RELAY, name="relay", ready=r"relay \S+ (leads|waits)", environ=environ)

    def worker(self, *options: str, **environ: str) -> Process:
        """Start a worker, such as `worker("-c", "2")`; it is ready when it consumes."""
        name = f"worker{len(self.started)}"
        return self._start(
            *WORKER,
            *("-n", f"{name}@%h", *(options or ("-c", "1"))),
            name=name,
            ready=r"@\S+ ready\.",
            environ=environ,
        )

    def output(self) -> str:
        """All that all of them have printed."""
        return "".join(process.output() for process in self.started)

    def discard(self) -> str:
        """End all that still run; returns what they printed, under their names."""
        return "\n".join(
            f"--- {process.name} ---\n{process.discard()}" for process in reversed(self.started)
        )

    def _start(
        self, *arguments: str, name: str, ready: str, environ: Mapping[str, str]
    ) -> Process:
        process = Process(*arguments, name=name, ready=ready, environ=self.environ | dict(environ))
        self.started.append(process)
        return process
