"""The scripted SMTP server as a process, for the test that started it."""

import json
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.harness.ports import wait_until
from tests.harness.steered import Steered


class Arrival(NamedTuple):
    """One recipient's copy of a mail, as the log of `smtp_sink` has it."""

    at: float
    """The moment, of the clock `time`."""
    message_id: str
    recipient: str


class SmtpProcess(Steered):
    """The SMTP server `tests.harness.smtp_sink` as a process, and its log so far."""

    def __init__(self, *, pace: float = 0, log: Path | None = None, port: int = 0) -> None:
        """`pace` is the seconds for each mail; a `log` that is named is kept at the end."""
        self.log = log or Path(tempfile.mkstemp(prefix="moa-smtp-sink-")[1])
        self.is_kept = log is not None
        self.seen: list[Arrival] = []
        self.read_to = 0
        super().__init__(
            "tests.harness.smtp_sink", f"--log={self.log}", f"--pace={pace}", port=port
        )

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def count(self) -> int:
        """How many copies it has accepted."""
        return len(self.taken())

    def taken(self) -> list[Arrival]:
        """All copies that it has accepted, in order; reads new lines of the log."""
        with self.log.open("rb") as log:
            log.seek(self.read_to)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]
        self.read_to += len(whole)
        self.seen += [Arrival(*json.loads(line)[:3]) for line in whole.splitlines()]
        return self.seen

    def recipients(self) -> set[str]:
        """The recipients that have a mail."""
        return {one.recipient for one in self.taken()}

    def wait_for_recipients(self, count: int, *, seconds: float = 120) -> None:
        """Wait until that many different recipients have their mail. Raises NotReady."""
        wait_until(
            lambda: len(self.recipients()) >= count,
            seconds=seconds,
            every=0.1,
            what=f"mail for {count} recipients",
        )

    def rate(self, began: float, ended: float) -> float:
        """Mails per second between two moments, of the clock `time`."""
        return sum(began <= one.at < ended for one in self.taken()) / (ended - began)

    def wait_for(self, count: int, *, seconds: float = 120) -> None:
        """Wait until it has accepted that many copies. Raises NotReady."""
        wait_until(lambda: self.count >= count, seconds=seconds, what=f"mail {count}")

    def discard(self) -> None:
        super().discard()
        if not self.is_kept:
            self.log.unlink(missing_ok=True)
