"""Moa's processes, started as in production, in the test's environment."""

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from tests.harness import sessions
from tests.harness.ports import free_port, wait_until

PROJECT = sessions.PROJECT
RELAY = ["manage.py", "relay"]
WORKER = ["-m", "celery", "-A", "moa", "worker", "--loglevel", "INFO"]
SHOP = {
    "SECRET_KEY": "only for this run, and long enough to please the checks of Django",
    "ALLOWED_HOSTS": "127.0.0.1",
    "SECURE_SSL_REDIRECT": "false",
    "PAYMENT_SANDBOX": "true",
    "PAYMENT_WEBHOOK_SECRETS": "whsec_bW9hIHNhbmRib3gsIGZvciBkZXZlbG9wbWVudCBvbmx5",
    "DEFAULT_FROM_EMAIL": "모아 구독 <no-reply@moa.example>",
}
"""The variables that production requires, except for servers."""


class Running(Protocol):
    """What a Process needs of what it started; subprocess.Popen has it."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def terminate(self) -> None: ...


Start = Callable[[tuple[str, ...], Mapping[str, str], Path], Running]
"""Starts `python ARGUMENTS` in an environment, with a file for its output."""


def start(arguments: tuple[str, ...], environ: Mapping[str, str], log: Path) -> Running:
    return sessions.launch(sessions.python(*arguments), environ=environ, log=log)


class Process:
    """A process of Moa, with its output in a file."""

    def __init__(
        self,
        *arguments: str,
        environ: Mapping[str, str],
        name: str,
        ready: str,
        start: Start = start,
    ) -> None:
        self.name = name
        self.ready = re.compile(ready)
        self.log = Path(tempfile.mkstemp(prefix=f"moa-{name}-", suffix=".log")[1])
        told = os.environ | dict(environ) | {"PYTHONUNBUFFERED": "1"}
        self.popen = start(arguments, told, self.log)

    def wait_ready(self, *, seconds: float = 60) -> "Process":
        """Wait until its log says that it is ready; raises NotReady with the log if it ends."""
        wait_until(
            lambda: self.ready.search(self.output()),
            seconds=seconds,
            every=0.05,
            what=self.name,
            alive=self._trouble,
        )
        return self

    def output(self) -> str:
        """Its output so far."""
        return self.log.read_text(errors="replace")

    def is_running(self) -> bool:
        return self.popen.poll() is None

    def children(self) -> list[int]:
        """The pids of its direct children, such as the slots of a prefork worker."""
        return sessions.children(self.popen.pid)

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
        """SIGKILL to the process and its children at once, as if the machine had failed."""
        if self.is_running():
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def freeze(self) -> None:
        os.killpg(self.popen.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self.popen.pid, signal.SIGCONT)

    def discard(self) -> str:
        """Kill it whatever its state and remove the log; returns its output."""
        self.kill()
        printed = self.output()
        self.log.unlink(missing_ok=True)
        return printed

    def _trouble(self) -> str:
        if self.is_running():
            return ""
        return f"it ended with {self.popen.poll()}:\n{self.output()[-4000:]}"


class Processes:
    """The processes that one test started."""

    def __init__(self, environ: Mapping[str, str], start: Start = start) -> None:
        self.environ = dict(environ)
        self.start = start
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

    def web(self, *options: str, **environ: str) -> tuple[Process, int]:
        """Start gunicorn, with one worker unless told otherwise; returns it and its port."""
        port = free_port()
        process = self._start(
            *("-m", "gunicorn", "moa.wsgi", f"--bind=127.0.0.1:{port}"),
            *(options or ("--workers=1",)),
            name="web",
            ready="Booting worker",
            environ={"ALLOWED_HOSTS": "127.0.0.1", "SECURE_SSL_REDIRECT": "false"} | environ,
        )
        return process, port

    def output(self) -> str:
        """The output of all of them."""
        return "".join(process.output() for process in self.started)

    def discard(self) -> str:
        """Kill all that still run; returns their output by name."""
        return "\n".join(
            f"--- {process.name} ---\n{process.discard()}" for process in reversed(self.started)
        )

    def _start(
        self, *arguments: str, name: str, ready: str, environ: Mapping[str, str]
    ) -> Process:
        process = Process(
            *arguments,
            name=name,
            ready=ready,
            environ=self.environ | dict(environ),
            start=self.start,
        )
        self.started.append(process)
        return process


def production(
    *, database_url: str, broker_url: str, email_url: str, folder: Path
) -> dict[str, str]:
    """The environment of production, except for TLS in front of the web processes."""
    return SHOP | {
        "DJANGO_SETTINGS_MODULE": "moa.settings",
        "DEBUG": "false",
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "EMAIL_URL": email_url,
        "MOA_VAR": str(folder),
        "STATIC_ROOT": str(folder / "static"),
    }


def manage(environ: Mapping[str, str], *arguments: str) -> str:
    """Run a management command; returns what it prints. Raises CalledProcessError."""
    ran = subprocess.run(
        sessions.python("manage.py", *arguments),
        cwd=PROJECT,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return ran.stdout
