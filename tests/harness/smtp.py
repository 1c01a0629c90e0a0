"""A scripted SMTP server: real sockets, an append-only log of what it took, faults on demand.

    with SmtpServer() as smtp:
        smtp.on("rcpt", address="gone@*", reply="550 5.1.1 no such user")
        smtp.on("dot", drop=True, takes=True, times=1)  # takes the mail, never says so
        slow = smtp.on("dot", hold=True)  # slow.reached.wait(); …; slow.release()

Standard library only; about 5,000 mails a second on one core.
"""

import hashlib
import re
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from fnmatch import fnmatchcase
from typing import Any

from tests.harness.ports import wait_until
from tests.harness.smtp_dialogue import Dialogue

PHASES = ("connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "dot", "rset", "quit")
MESSAGE_ID = re.compile(rb"^Message-ID:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """One recipient's copy of a mail that the server took responsibility for."""

    sender: str
    recipient: str
    message_id: str
    sha256: str
    raw: bytes
    """The mail as it came, dot-stuffing undone; empty when the server keeps digests only."""
    connection: int
    at: float
    """Seconds on the monotonic clock."""

    @property
    def mail(self) -> EmailMessage:
        """The mail, parsed."""
        return message_from_bytes(self.raw, policy=policy.default)  # type: ignore[return-value]


@dataclass(eq=False, kw_only=True)
class Rule:
    """What the server does at one phase, instead of agreeing at once."""

    phase: str
    address: str = "*"
    """A pattern; the sender at `mail`, any recipient from `rcpt` on."""
    reply: str = ""
    """The reply line; empty: the friendly one, or none when the rule drops the connection."""
    delay: float = 0
    hold: bool = False
    """Do not reply until `release()`."""
    drop: bool = False
    """Close the connection, after the reply if there is one."""
    takes: bool | None = None
    """At `dot`: whether the mail is taken; by default if the reply is not 4xx or 5xx."""
    times: int | None = None
    """How often the rule applies; None: always."""
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def release(self) -> None:
        """Let every dialogue that this rule holds go on, and hold no more."""
        self.released.set()

    def fits(self, phase: str, addresses: Sequence[str]) -> bool:
        if phase != self.phase or self.times == 0:
            return False
        return self.address == "*" or any(fnmatchcase(one, self.address) for one in addresses)

    def takes_mail(self) -> bool:
        if self.takes is not None:
            return self.takes
        return not self.drop and not self.reply.startswith(("4", "5"))

    def wait(self) -> None:
        """As long as the rule says."""
        self.reached.set()
        if self.hold:
            self.released.wait()
        if self.delay:
            self.released.wait(self.delay)


class SmtpServer:
    """The server, on a loopback port that it keeps over restarts; one thread per connection."""

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
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._greeter: threading.Thread | None = None

    def start(self) -> "SmtpServer":
        """Listen, on the same port as before a `stop`."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=1000)
        self.port = self._listener.getsockname()[1]
        self._greeter = threading.Thread(target=self._greet, args=[self._listener], daemon=True)
        self._greeter.start()
        return self

    def stop(self) -> None:
        """Refuse connections from now on and cut those that are open."""
        if self._listener is not None and self._greeter is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._greeter.join(10)
            self._listener = self._greeter = None
        self._cut()

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
        """Agree to everything again."""
        rules, self.rules = self.rules, []
        for rule in rules:
            rule.release()

    def reset(self) -> None:
        """Forget the rules, the log and the connections: the state of a new server."""
        self.clear_rules()
        self._cut()
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

    # What a Dialogue asks of the server.

    def rule(self, phase: str, addresses: Sequence[str]) -> Rule | None:
        """The rule for this step of a dialogue; counts it."""
        with self._lock:
            self.commands[phase] += 1
            for rule in self.rules:
                if rule.fits(phase, addresses):
                    if rule.times is not None:
                        rule.times -= 1
                    return rule
        return None

    def take(self, *, sender: str, recipients: list[str], raw: bytes, connection: int) -> None:
        """Put a mail on the log, once per recipient."""
        found = MESSAGE_ID.search(raw)
        message_id = found[1].decode("ascii", "replace") if found else ""
        sha256 = hashlib.sha256(raw).hexdigest()
        for recipient in recipients:
            self.taken.append(
                Taken(
                    sender=sender,
                    recipient=recipient,
                    message_id=message_id,
                    sha256=sha256,
                    raw=raw if self.keeps_raw else b"",
                    connection=connection,
                    at=time.monotonic(),
                )
            )

    def left(self, dialogue: Dialogue) -> None:
        with self._lock:
            self._dialogues.discard(dialogue)

    def _greet(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                dialogue = Dialogue(self, connection, self.connections)
                self._dialogues.add(dialogue)
            dialogue.start()

    def _cut(self) -> None:
        with self._lock:
            dialogues = list(self._dialogues)
        for dialogue in dialogues:
            dialogue.cut()
        for dialogue in dialogues:
            dialogue.join(10)
