"""The outside of the database: a scripted SMTP server, broker and clocks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes
from typing import Any

from django.db.models import F, QuerySet

from mail.models import Batch, Broadcast, Delivery, Message, Transport
from mail.relay.publisher import BrokerUnavailable
from mail.transport.base import Callbacks, Envelope
from mail.transport.replies import Phase, Reply


@dataclass(frozen=True)
class Scripted:
    """What the server does with one mail, and the state the Delivery must then have.

    `state` None: the trouble is not this mail's, and its row stays as it is.
    """

    reply: Reply
    state: str | None
    takes: bool = False

    @property
    def is_after_dot(self) -> bool:
        return self.reply.phase is Phase.DOT


def reply(
    state: str | None, phase: Phase, code: int | None = None, *, enhanced: str = "", takes=False
) -> Scripted:
    said = Reply(phase=phase, code=code, enhanced=enhanced, text="as told", host="mx:25")
    return Scripted(said, state, takes)


REPLIES = {
    "taken": reply("sent", Phase.DOT, 250, takes=True),
    "taken, said otherwise": reply("sent", Phase.DOT, 252, takes=True),
    "unreachable": reply(None, Phase.CONNECT),
    "login refused": reply(None, Phase.AUTH, 535),
    "throttled at MAIL": reply(None, Phase.MAIL, 421),
    "sender refused": reply("failed", Phase.MAIL, 550),
    "nobody there": reply("failed", Phase.RCPT, 550, enhanced="5.1.1"),
    "mailbox full": reply("queued", Phase.RCPT, 452, enhanced="4.2.2"),
    "throttled at RCPT": reply("queued", Phase.RCPT, 421),
    "lost at RCPT": reply("queued", Phase.RCPT),
    "later": reply("queued", Phase.DATA, 451),
    "lost in the content": reply("queued", Phase.CONTENT),
    "refused at the dot": reply("failed", Phase.DOT, 554),
    "deferred at the dot": reply("queued", Phase.DOT, 451),
    "throttled at the dot": reply("queued", Phase.DOT, 421),
    "lost at the dot, not taken": reply("uncertain", Phase.DOT),
    "lost at the dot, taken": reply("uncertain", Phase.DOT, takes=True),
    "nonsense at the dot, taken": reply("uncertain", Phase.DOT, 99, takes=True),
}
TAKEN = REPLIES["taken"]


class FakeConnection:
    """One slot's connection, of both lanes. Asks the callbacks as the real one does."""

    def __init__(self, point: Callable[[str], None], taken: Callable[[str, str], None]) -> None:
        self.point, self.taken = point, taken
        self.script: list[Scripted | Exception] = []
        self.last: Scripted | None = None

    def of(self, lane: str) -> "FakeConnection":
        return self

    def open(self) -> Reply | None:
        return None

    def deliver(self, envelope: Envelope, callbacks: Callbacks) -> Reply:
        told = self.script.pop(0) if self.script else TAKEN
        self.last = None
        self.point("mail offered, no dot")
        if isinstance(told, Exception):
            raise told
        if told.is_after_dot:
            callbacks.before_end_of_data()
            self.point("dot due, not written")
        if told.takes:
            message_id = message_from_bytes(envelope.content)["Message-ID"]
            self.taken(str(message_id), envelope.recipient)
        self.point("reply read, nothing recorded")
        self.last = told
        return told.reply

    def withdraw(self) -> None:
        """Nothing was announced."""

    def close(self) -> None:
        """Nothing to close."""


Task = tuple[str, int, str]
"""Its name, the id it carries, its queue."""


@dataclass
class Broker:
    """It may lose, repeat and reorder what it has, and fail while it takes something."""

    tasks: list[Task] = field(default_factory=list)
    mood: str = "well"

    def publish(self, task: Any, object_id: int, *, queue: str) -> None:
        if self.mood != "refuses":
            self.tasks.append((task.name, object_id, queue))
        if self.mood != "well":
            raise BrokerUnavailable(self.mood)

    def ready(self, queue: str) -> int:
        if self.mood == "refuses":
            raise BrokerUnavailable(self.mood)
        return sum(task[2] == queue for task in self.tasks)


@dataclass
class Clock:
    """Monotonic seconds that advance on request; rows age by as much."""

    now: float = 1_000_000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def pass_by(self, time: timedelta) -> None:
        """Let time pass; moments that nobody will look at again stay as they are."""
        self.now += time.total_seconds()
        for rows, names in LOOKED_AT:
            rows.update(**{name: F(name) - time for name in names})


LOOKED_AT: list[tuple[QuerySet[Any], list[str]]] = [
    (Delivery.objects.filter(state__in=["queued", "uncertain"]), ["due_at", "expires_at"]),
    (Batch.objects.filter(closed_at=None), ["published_at", "claimed_at", "lease_until"]),
    (Message.objects.filter(erased_at=None, keep_for__isnull=False), ["created_at", "erase_at"]),
    (Broadcast.objects.filter(expanded_at=None), ["moment", "published_at", "lease_until"]),
    (Transport.objects.filter(held_until__isnull=False), ["held_until"]),
]
