"""What the scripted SMTP server does in a phase instead of replying positively at once."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

PHASES = ("connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "dot", "rset", "quit")


@dataclass(eq=False, kw_only=True)
class Rule:
    """What the server does in one phase instead of replying positively at once."""

    phase: str
    address: str = "*"
    """A pattern; the sender at `mail`, any recipient from `rcpt` on."""
    reply: str = ""
    """The reply line; empty: the positive one, or none if the rule drops the connection."""
    delay: float = 0
    hold: bool = False
    """Do not reply until `release()`."""
    drop: bool = False
    """Close the connection, after the reply if there is one."""
    takes: bool | None = None
    """At `dot`: whether the mail is accepted; by default unless the reply is 4xx or 5xx."""
    times: int | None = None
    """How often the rule applies; None: always."""
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    """The dialogues that are waiting."""

    @property
    def makes_wait(self) -> bool:
        return self.hold or bool(self.delay)

    def release(self) -> None:
        """Let every dialogue that this rule holds go on, and hold no more."""
        self.released.set()
        for one in list(self.waiting):
            one.get_loop().call_soon_threadsafe(_let_go, one)

    def fits(self, phase: str, addresses: Sequence[str]) -> bool:
        if phase != self.phase or self.times == 0:
            return False
        return self.address == "*" or any(fnmatchcase(one, self.address) for one in addresses)

    def takes_mail(self) -> bool:
        if self.takes is not None:
            return self.takes
        return not self.drop and not self.reply.startswith(("4", "5"))

    async def wait(self) -> None:
        """Wait until it is released, or for its delay if it does not hold."""
        loop = asyncio.get_running_loop()
        released = loop.create_future()
        self.waiting.append(released)  # before the question: `release` comes from another thread
        self.reached.set()
        timer = None if self.hold else loop.call_later(self.delay, _let_go, released)
        try:
            if not self.released.is_set():
                await released
        finally:
            self.waiting.remove(released)
            if timer:
                timer.cancel()


def _let_go(released: asyncio.Future[None]) -> None:
    if not released.done():
        released.set_result(None)
