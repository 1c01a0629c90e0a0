"""A scripted SMTP server: real sockets, an append-only log of accepted mails, faults on demand.

    with SmtpServer() as smtp:
        smtp.on("rcpt", address="gone@*", reply="550 5.1.1 no such user")
        smtp.on("dot", drop=True, takes=True, times=1)  # accepts the mail, never says so
        slow = smtp.on("dot", hold=True)  # slow.reached.wait(); …; slow.release()

Standard library only. `smtp_sink` runs it as a separate process.
"""

import asyncio
import hashlib
import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from tests.harness.ports import wait_until
from tests.harness.smtp_dialogue import Dialogue
from tests.harness.smtp_rule import PHASES, Rule

MESSAGE_ID = re.compile(rb"^Message-ID:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """One recipient's copy of a mail that the server accepted."""

    sender: str
    recipient: str
    message_id: str
    sha256: str
    raw: bytes
    """The mail as received, dot-stuffing undone; empty if the server keeps only digests."""
    connection: int
    at: float
    """Seconds on the monotonic clock."""

    @property
    def mail(self) -> EmailMessage:
        """The mail, parsed."""
        return message_from_bytes(self.raw, policy=policy.default)


def message_id(raw: bytes) -> str:
    """The Message-ID of a mail; empty: it has none."""
    found = MESSAGE_ID.search(raw)
    return found[1].decode("ascii", "replace") if found else ""


class SmtpServer:
    """The server, on a loopback port that it keeps across restarts; an event loop in a thread."""

    def __init__(
        self,
        *,
        port: int = 0,
        extensions: Iterable[str] = ("8BITMIME", "PIPELINING", "SIZE 20000000"),
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        users: dict[str, str] | None = None,
        keeps_raw: bool = True,
    ) -> None:
        self.port = port
        self.extensions = list(extensions)
        self.tls, self.implicit_tls = tls, implicit_tls
        self.users = users
        self.keeps_raw = keeps_raw
        self.taken: list[Taken] = []
        self.rules: list[Rule] = []
        self.connections = 0
        self.commands: Counter[str] = Counter()
        self._dialogues: set[Dialogue] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._listener: asyncio.Server | None = None

    def start(self) -> "SmtpServer":
        """Listen, on the same port as before a `stop`. Raises OSError if it is taken."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._listen())
        return self

    def stop(self) -> None:
        """Refuse connections from now on and cut those that are open."""
        if self._loop is None or self._thread is None:
            return
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None

    def __enter__(self) -> "SmtpServer":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.reset()
        self.stop()

    def on(self, phase: str, **what: Any) -> Rule:
        """Add a rule; the first one that fits applies. Takes the fields of Rule."""
        if phase not in PHASES:
            raise ValueError(f"no phase {phase!r}")
        rule = Rule(phase=phase, **what)
        self.rules = [*self.rules, rule]
        return rule

    def clear_rules(self) -> None:
        """Accept everything again."""
        rules, self.rules = self.rules, []
        for rule in rules:
            rule.release()

    def reset(self) -> None:
        """Forget the rules, the log and the connections: the state of a new server."""
        self.clear_rules()
        if self._loop is not None:
            self._do(self._cut())
        self.taken, self.commands, self.connections = [], Counter(), 0

    def wait_for(self, count: int, *, seconds: float = 30) -> list[Taken]:
        """Wait until `count` copies were taken; return the log."""
        wait_until(lambda: len(self.taken) >= count, seconds=seconds, what=f"{count} mails")
        return self.taken

    def recipients(self) -> Counter[str]:
        """How many copies each address got."""
        return Counter(taken.recipient for taken in self.taken)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    # What a Dialogue needs of the server.

    def rule(self, phase: str, addresses: Sequence[str]) -> Rule | None:
        """The rule for this step of a dialogue; counts it."""
        self.commands[phase] += 1
        for rule in self.rules:
            if rule.fits(phase, addresses):
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return None

    def take(self, *, sender: str, recipients: list[str], raw: bytes, connection: int) -> None:
        """Add a mail to the log, once per recipient."""
        known_as, sha256 = message_id(raw), hashlib.sha256(raw).hexdigest()
        for recipient in recipients:
            self.taken.append(
                Taken(
                    sender=sender,
                    recipient=recipient,
                    message_id=known_as,
                    sha256=sha256,
                    raw=raw if self.keeps_raw else b"",
                    connection=connection,
                    at=time.monotonic(),
                )
            )

    def entered(self, dialogue: Dialogue) -> int:
        """Take note of a new connection; its number."""
        self._dialogues.add(dialogue)
        self.connections += 1
        return self.connections

    def left(self, dialogue: Dialogue) -> None:
        self._dialogues.discard(dialogue)

    # Runs in the event loop.

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self) -> None:
        self._listener = await asyncio.get_running_loop().create_server(
            lambda: Dialogue(self),
            *("127.0.0.1", self.port),
            ssl=self.tls if self.implicit_tls else None,
            backlog=1000,
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._listener is not None
        self._listener.close()
        await self._cut()

    async def _cut(self) -> None:
        """Reset all connections and wait until their dialogues have ended."""
        cut = list(self._dialogues)
        for dialogue in cut:
            dialogue.cut()
        tasks = [dialogue.task for dialogue in cut if dialogue.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the transports close their sockets in the loop's next turn
