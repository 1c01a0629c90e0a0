"""The cells of the SMTP grid: every command, what a server may do there, and the outcome. Pure.

A cell offers two mails in one Batch, and the server misbehaves at the first or the second: with
PIPELINING the second is announced together with the end of the first. The outcome is the state of
that mail, what the reply stops (its scope), and that nothing else is stopped.
"""

from dataclasses import dataclass, field, replace
from typing import Any

HOLDS = (0, 5, 15, 60, 3600)
"""Seconds of a lane's first hold."""


@dataclass(frozen=True)
class Stands:
    """The outcome for the mail, its lane and the other mail."""

    state: str
    """A state of a Delivery; `deferred` is queued for a later time of its own."""
    copies: int
    attempts: int
    scope: str
    """The scope of the recorded Attempt; empty if there is none."""
    held: int
    """Seconds for which the whole lane is held."""
    other: str
    """The state of the other mail."""


SENT = Stands("sent", copies=1, attempts=1, scope="", held=0, other="sent")
DEFERRED = Stands("deferred", copies=0, attempts=1, scope="recipient", held=0, other="sent")
TAKEN = Stands("uncertain", copies=1, attempts=1, scope="recipient", held=0, other="sent")
NOT_TAKEN = replace(TAKEN, copies=0)


def refused(scope: str = "recipient") -> Stands:
    return Stands("failed", copies=0, attempts=1, scope=scope, held=0, other="sent")


def held(seconds: int) -> Stands:
    """The transport is held; neither mail was at fault, both are due as before."""
    return Stands("queued", copies=0, attempts=0, scope="", held=seconds, other="queued")


def held_later(seconds: int) -> Stands:
    """As `held`, but the reply was about the mail itself, which waits a minute behind others."""
    return replace(held(seconds), state="deferred", scope="transport")


def in_the_end(first: Stands) -> Stands:
    """The outcome once the waiting times of lane and mail are over."""
    if first.state in ("queued", "deferred"):
        return replace(SENT, attempts=first.attempts + 1, scope=first.scope)
    return replace(first, held=0, other="sent")


@dataclass(frozen=True)
class Cell:
    phase: str
    trouble: str
    first: Stands
    what: dict[str, Any] = field(default_factory=dict)
    """The arguments of the SMTP server's Rule."""
    kept: bool = False
    """Whether an earlier Batch has used the same connection."""
    second: bool = False
    """Whether the server misbehaves at the second mail."""

    @property
    def name(self) -> str:
        where = " of a kept connection" if self.kept else " of the second mail" * self.second
        return f"{self.phase}{where}: {self.trouble}"


REPLY = {"4xx": "451 4.3.0 later", "5xx": "550 5.1.1 no"}
TROUBLES: dict[str, dict[str, Any]] = {
    **{name: {"reply": reply} for name, reply in REPLY.items()},
    "421": {"reply": "421 closing", "drop": True},
    "drop": {"drop": True},
    "timeout": {"hold": True},
    "garbage": {"reply": "what?"},
    "slow": {"delay": 0.2},
}
EXPECTED: dict[str, tuple[Stands, ...]] = {
    # in the order of TROUBLES: 4xx, 5xx, 421, drop, timeout, garbage, slow
    "connect": (held(5), held(5), held(15), held(5), held(5), held(5), SENT),
    "ehlo": (held(5), held(5), held(5), held(5), held(5), held(5), SENT),
    "starttls": (held(5), held(5), held(15), held(5), held(5), held(5), SENT),
    "auth": (held(60), held(60), held(15), held(5), held(5), held(5), SENT),
    "mail": (DEFERRED, refused("sender"), held(15), held(5), held(5), held(5), SENT),
    "rcpt": (DEFERRED, refused(), held_later(15), DEFERRED, DEFERRED, DEFERRED, SENT),
    "data": (DEFERRED, refused(), held_later(15), DEFERRED, DEFERRED, DEFERRED, SENT),
    "dot": (DEFERRED, refused(), held_later(15), TAKEN, TAKEN, TAKEN, SENT),
    "rset": (refused(),) * 7,  # asked after a refusal, which stands whatever follows
    "quit": (SENT,) * 7,
}
ANSWERS: dict[Stands, tuple[str, ...]] = {
    DEFERRED: (
        "450 4.2.1 too fast",
        "451 4.7.1 greylisted",
        "451 4.4.2 bad connection",
        "451 without an enhanced code",
        "452 4.2.2 mailbox full",
        "552 5.2.2 mailbox full",
        "452 4.5.3 too many recipients",
    ),
    refused(): (
        "550 5.1.2 no such domain",
        "550 5.1.10 null MX",
        "501 5.1.3 bad address",
        "553 5.1.3 bad address",
        "554 without an enhanced code",
    ),
    refused("sender"): (
        "550 5.7.1 policy",
        "550 5.7.26 not authenticated",
        "550 5.7.515 sender below the requirements",
        "554 5.7.0 reputation",
    ),
    refused("message"): ("552 5.2.3 too long", "552 5.3.4 too big"),
    held_later(15): (
        "454 4.7.0 throttled",
        "451 4.7.0 slow down",
        "450 4.7.28 rate",
        "451 4.3.2 not now",
    ),
    held_later(60): ("530 5.7.0 TLS or login first", "534 5.7.9 weak", "535 5.7.8 login"),
    held_later(3600): ("550 5.4.5 the day's quota",),
}
"""Replies with a meaning of their own, from the first that is about a recipient on."""


def _cells() -> list[Cell]:
    made = []
    for phase, outcomes in EXPECTED.items():
        for (trouble, what), first in zip(TROUBLES.items(), outcomes, strict=True):
            more: dict[str, Any] = {}
            if phase == "ehlo" and trouble in ("4xx", "5xx", "garbage"):
                more = {"times": 2}  # EHLO, and HELO after it
            if (phase, trouble) == ("dot", "drop"):
                more = {"takes": True}
            made.append(Cell(phase, trouble, first, what | more))
    made.append(Cell("ehlo", "5xx, and HELO welcome", SENT, TROUBLES["5xx"]))
    made.append(Cell("dot", "drop before it was taken", NOT_TAKEN, {"drop": True, "takes": False}))
    made.append(Cell("dot", "354", TAKEN, {"reply": "354 go on", "takes": True}))
    for trouble in ("421", "drop", "timeout", "garbage"):
        # The server had closed an idle connection: no error, a new one is opened.
        made.append(Cell("mail", trouble, SENT, TROUBLES[trouble], kept=True))
    return made


def _answers() -> list[Cell]:
    made = []
    for first, replies in ANSWERS.items():
        for reply in replies:
            made += [Cell(phase, reply, first, {"reply": reply}) for phase in ("rcpt", "dot")]
            if first.scope == "transport":
                made.append(Cell("mail", reply, held(first.held), {"reply": reply}))
    return made


def _second() -> list[Cell]:
    """The same at the second mail; a connection lost before the reply to MAIL is reopened."""
    made = []
    for cell in _cells():
        if cell.phase in ("mail", "rcpt", "data", "dot", "rset") and not cell.kept:
            ended = cell.phase == "mail" and cell.trouble in ("421", "drop", "timeout", "garbage")
            first = SENT if ended else replace(cell.first, other="sent")
            made.append(replace(cell, second=True, first=first))
    return made


CELLS, ANSWER_CELLS = [*_cells(), *_second()], _answers()
