"""Running: Moa, started as a person would start it, in a temporary folder."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

from demo.processes import LOOPBACK, manage
from demo.supervisor import end_with_parent

UNTIL_UP = 240  # seconds
UNTIL_DOWN = 15
LAST_LINES = 40

# These could send mail to real servers, or change the story.
FORGOTTEN = ["EMAIL_URL", "EMAIL_URL_BULK", "MAIL_BACKEND", "MAIL_RATE", "MAIL_REDIRECT_TO"]


class NotUp(RuntimeError):
    """Moa did not start, or a command failed; the message has the output."""


class Running:
    """`manage.py up` on free ports, with its own data."""

    def __init__(self, *, subscribers: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="moa-check-"))
        self.log = self.folder / "up.log"
        self.port, self.smtp_port = free_port(), free_port()
        self.site = f"http://{LOOPBACK}:{self.port}"
        self.webhook_secret = os.urandom(24)
        self.environ = {
            **{name: value for name, value in os.environ.items() if name not in FORGOTTEN},
            "DEBUG": "true",
            "MOA_VAR": str(self.folder),
            "MAIL_UNCERTAIN_WAIT": "2",
            "PAYMENT_WEBHOOK_SECRETS": f"whsec_{b64encode(self.webhook_secret).decode()}",
            "PYTHONUNBUFFERED": "1",
        }
        options = (
            f"--port={self.port}",
            f"--smtp-port={self.smtp_port}",
            f"--subscribers={subscribers}",
        )
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603
                manage("up", *options),
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=end_with_parent,
            )

    def wait_until_up(self) -> None:
        """Return once it reports that it is up; raises NotUp."""
        deadline = time.monotonic() + UNTIL_UP
        while "Moa is up" not in self.log.read_text(errors="replace"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise NotUp(self.last_lines())
            time.sleep(0.1)

    def command(self, *arguments: str) -> Any:
        """The `--json` output of a management command; raises NotUp if it fails."""
        done = subprocess.run(  # noqa: S603
            manage(*arguments, "--json"),
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NotUp(f"{' '.join(arguments)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def stop(self) -> int | None:
        """Stop it as Ctrl-C does; return its exit code, or None if it had to be killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(UNTIL_DOWN)
        except subprocess.TimeoutExpired:
            self.process.kill()  # its children end with it where the system supports that
            self.process.wait()
            return None

    def is_listening(self) -> bool:
        """Whether the web server or the catcher still accepts connections."""
        return any(listens(port) for port in (self.port, self.smtp_port))

    def last_lines(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LAST_LINES:])

    def forget(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        port: int = taken.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with socket.socket() as visitor:
        visitor.settimeout(1)
        return visitor.connect_ex((LOOPBACK, port)) == 0
