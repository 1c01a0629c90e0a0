"""The SMTP server `bench.timed_sink` as a process, and what it has taken so far."""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.harness.ports import answers, free_port, wait_until
from tests.harness.processes import PROJECT


class TimedSink:
    """Knows for each mail the moment (of the clock `time`) at which it was taken."""

    def __init__(self, *, delay: float = 0) -> None:
        self.port = free_port()
        self.log = Path(tempfile.mkstemp(prefix="moa-timed-sink-")[1])
        place = [f"--port={self.port}", f"--log={self.log}", f"--delay={delay}"]
        self.popen = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "bench.timed_sink", *place],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.seen: list[tuple[float, str]] = []
        self.read_to = 0
        wait_until(lambda: answers(self.port), what="the SMTP server")

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def count(self) -> int:
        """How many mails it has taken."""
        return len(self.taken())

    def taken(self) -> list[tuple[float, str]]:
        """The moment and the recipient of each mail, in their order."""
        with self.log.open("rb") as log:
            log.seek(self.read_to)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]
        self.read_to += len(whole)
        for line in whole.decode().splitlines():
            at, _, recipient = line.partition(" ")
            self.seen.append((float(at), recipient))
        return self.seen

    def rate(self, began: float, ended: float) -> float:
        """Mails per second between two moments."""
        count = sum(began <= at < ended for at, _ in self.taken())
        return count / (ended - began)

    def wait_for(self, count: int, *, seconds: float = 60) -> None:
        """Wait until it has taken so many mails. Raises NotReady."""
        wait_until(lambda: self.count >= count, seconds=seconds, what=f"mail {count}")

    def __enter__(self) -> "TimedSink":
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def discard(self) -> None:
        self.popen.kill()
        self.popen.wait()
        self.log.unlink(missing_ok=True)
