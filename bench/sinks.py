"""`smtp-sink` of Postfix, a very fast SMTP server that accepts and counts every mail."""

import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import postfix
from tests.harness.ports import answers, free_port, wait_until
from tests.harness.sessions import launch

COUNT = re.compile(rb"mesg=(\d+)")
BACKLOG = "1000"
STILL = 0.3  # seconds in which a surplus mail would arrive


class WrongCount(AssertionError):
    """The server accepted another number of mails than were handed over."""


class Sink:
    """A process of `smtp-sink`, which replies 250 to every mail and counts them."""

    def __init__(self, *, pipelining: bool = True, options: tuple[str, ...] = ()) -> None:
        self.port = free_port()
        self.counter = Path(tempfile.mkstemp(prefix="moa-smtp-sink-")[1])
        user = ("-u", "nobody") if os.geteuid() == 0 else ()
        hide = () if pipelining else ("-p",)
        self.popen = launch(
            [
                *(postfix.program("smtp-sink"), "-c", "-m", "1000"),
                *(*user, *hide, *options, f"127.0.0.1:{self.port}", BACKLOG),
            ],
            environ=postfix.environ(),
            log=self.counter,
        )
        wait_until(lambda: answers(self.port), what="smtp-sink")

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def count(self) -> int:
        """How many mails it has accepted since it started."""
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
