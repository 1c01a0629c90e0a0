"""SMTP servers that take everything: a fast one that counts, and one that writes down when."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import postfix
from tests.harness.ports import answers, free_port, wait_until
from tests.harness.processes import PROJECT

COUNT = re.compile(rb"mesg=(\d+)")
BACKLOG = "1000"
STILL = 0.3  # seconds in which a mail too many would come


class WrongCount(AssertionError):
    """The server took another number of mails than were handed over."""


class Sink:
    """One process of `smtp-sink`; it says 250 to every mail and counts them."""

    def __init__(self, *, pipelining: bool = True, options: tuple[str, ...] = ()) -> None:
        self.port = free_port()
        self.counter = Path(tempfile.mkstemp(prefix="moa-smtp-sink-")[1])
        user = ("-u", "nobody") if os.geteuid() == 0 else ()
        hide = () if pipelining else ("-p",)
        with self.counter.open("wb") as counter:
            self.popen = subprocess.Popen(  # noqa: S603
                [
                    *(str(postfix.program("smtp-sink")), "-c", "-m", "1000"),
                    *(*user, *hide, *options, f"127.0.0.1:{self.port}", BACKLOG),
                ],
                env=postfix.environ(),
                stdin=subprocess.DEVNULL,
                stdout=counter,
                start_new_session=True,
            )
        wait_until(lambda: answers(self.port), what="smtp-sink")

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def count(self) -> int:
        """How many mails it has taken since it started."""
        with self.counter.open("rb") as counter:
            counter.seek(max(0, counter.seek(0, os.SEEK_END) - 200))
            found = COUNT.findall(counter.read().rpartition(b"\r")[0])
        return int(found[-1]) if found else 0

    def wait_for(
        self, count: int, *, seconds: float, alive: Callable[[], str] = lambda: ""
    ) -> float:
        """Wait until it has taken `count` mails in all; the moment, on the clock `monotonic`.

        Raises NotReady when they do not come within `seconds`.
        """
        wait_until(
            lambda: self.count >= count,
            seconds=seconds,
            every=0.01,
            what=f"mail {count} (of them came {self.count})",
            alive=alive,
        )
        return time.monotonic()

    def check(self, count: int) -> None:
        """That it took `count` mails and not one more. Raises WrongCount."""
        time.sleep(STILL)  # a duplicate would come late; there is no event that says it will not
        if self.count != count:
            raise WrongCount(f"{count} mails were handed over, {self.count} were taken")

    def discard(self) -> None:
        self.popen.kill()
        self.popen.wait()
        self.counter.unlink(missing_ok=True)


class LoggingSink:
    """An SMTP server of Python's that writes down when it took which mail; `pace` s per mail.

    It is the one of the chaos runs, slower than `smtp-sink`: for single mails and slow servers.
    """

    def __init__(self, *, pace: float = 0) -> None:
        self.port = free_port()
        self.log = Path(tempfile.mkstemp(prefix="moa-logging-sink-")[1])
        place = [f"--port={self.port}", f"--log={self.log}", f"--pace={pace}"]
        self.popen = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "chaos.sink", *place],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        wait_until(lambda: answers(self.port), what="the logging sink")

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def count(self) -> int:
        return self.log.read_bytes().count(b"\n")

    def taken(self) -> list[tuple[float, str, str]]:
        """Time (of the clock `time`), Message-ID and recipient of each mail, in their order."""
        lines = self.log.read_text().splitlines(keepends=True)
        whole = [json.loads(line) for line in lines if line.endswith("\n")]
        return [(line[0], line[1], line[2]) for line in whole]

    def wait_for(self, count: int, *, seconds: float) -> None:
        """Wait until it has taken `count` mails in all. Raises NotReady."""
        wait_until(lambda: self.count >= count, seconds=seconds, what=f"mail {count}")

    def discard(self) -> None:
        self.popen.kill()
        self.popen.wait()
        self.log.unlink(missing_ok=True)
