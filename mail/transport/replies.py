"""Retry: what follows from an answer of the SMTP server. Pure: no clock, no database, no socket.

Before the terminating dot a failure is certain: nothing was sent. After it only a reply decides,
and without one nobody can know. An answer is read by its enhanced code (RFC 3463) first, then by
its basic code (RFC 5321 §4.2), never by its text.
"""

import random
import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Self


class Phase(StrEnum):
    """Where in the SMTP dialogue an answer came, or failed to come."""

    CONNECT = "connect"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    CONTENT = "content"  # while the content is written
    DOT = "dot"  # from the terminating dot on


class Scope(StrEnum):
    """What an answer is about, and so what stops."""

    RECIPIENT = "recipient"
    MESSAGE = "message"
    SENDER = "sender"
    TRANSPORT = "transport"


class Outcome(StrEnum):
    """What becomes of the Delivery."""

    SENT = "sent"
    FAILED = "failed"
    DEFERRED = "deferred"  # tried again later, this one alone
    UNCERTAIN = "uncertain"
    HELD = "held"  # the transport waits; this one was not at fault


ENHANCED = re.compile(r"^([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A reply of the server, or its absence (`code` is None and `text` says what happened)."""

    phase: Phase
    code: int | None = None
    enhanced: str = ""
    text: str = ""
    host: str = ""

    @classmethod
    def read(cls, phase: Phase, code: int | None, text: str, *, host: str) -> Self:
        """An answer from what was said: an enhanced code in front is taken apart from the text.

        NUL, which PostgreSQL does not keep, is left out; a code that is none becomes None.
        """
        said = text.replace("\0", "")
        match = ENHANCED.match(said)
        return cls(
            phase=phase,
            code=code if code and code > 0 else None,
            enhanced=match[1] if match else "",
            text=said[match.end() :] if match else said,
            host=host,
        )

    @property
    def is_plain_acceptance(self) -> bool:
        return self.phase is Phase.DOT and self.code == 250

    @property
    def columns(self) -> dict[str, str]:
        """The columns of a Delivery or an Attempt that keep it."""
        return {
            "code": str(self.code or ""),
            "enhanced": self.enhanced,
            "reply": self.text,
            "host": self.host,
        }

    @property
    def is_loss(self) -> bool:
        """Whether the server fell silent in the middle of a mail."""
        return self.code is None and self.phase not in SESSION_PHASES


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What an answer means."""

    outcome: Outcome
    scope: Scope
    hold: timedelta = timedelta(0)
    """How long the transport waits at first, when it is held."""


SESSION_PHASES = {Phase.CONNECT, Phase.EHLO, Phase.STARTTLS, Phase.AUTH, Phase.MAIL}

UNREACHABLE = timedelta(seconds=5)
THROTTLED = timedelta(seconds=15)
REFUSED_LOGIN = timedelta(seconds=60)
OVER_QUOTA = timedelta(hours=1)

LONGEST_HOLD = timedelta(minutes=15)
LONGEST_OUTAGE_HOLD = timedelta(seconds=20)

# Codes that speak of the transport whatever command they answer.
TRANSPORT_ENHANCED = {
    "4.7.0": THROTTLED,
    "4.7.28": THROTTLED,
    "4.3.2": THROTTLED,
    "5.4.5": OVER_QUOTA,
}
TRANSPORT_CODES = {
    421: THROTTLED,
    454: THROTTLED,
    530: REFUSED_LOGIN,
    534: REFUSED_LOGIN,
    535: REFUSED_LOGIN,
    538: REFUSED_LOGIN,
}
MAILBOX_FULL = {"4.2.2", "5.2.2"}
TOO_BIG = {"5.2.3", "5.3.4"}
POLICY = re.compile(r"^5\.7\.")


def classify(answer: Answer) -> Verdict:
    """What an answer means for the Delivery it was given to, and for whom else."""
    if answer.code is None or not 200 <= answer.code < 600:
        return _silence(answer.phase)
    if 200 <= answer.code < 300 and answer.phase is Phase.DOT:
        return Verdict(outcome=Outcome.SENT, scope=Scope.RECIPIENT)
    if answer.code < 400:
        return _silence(answer.phase)
    if hold := _transport_hold(answer):
        return Verdict(outcome=Outcome.HELD, scope=Scope.TRANSPORT, hold=hold)
    if answer.code < 500 or answer.enhanced in MAILBOX_FULL:
        return Verdict(outcome=Outcome.DEFERRED, scope=Scope.RECIPIENT)
    return Verdict(outcome=Outcome.FAILED, scope=_scope_of_refusal(answer))


def _silence(phase: Phase) -> Verdict:
    """No reply, or one that is none: certain before the dot, unknowable after it."""
    if phase is Phase.DOT:
        return Verdict(outcome=Outcome.UNCERTAIN, scope=Scope.RECIPIENT)
    if phase in SESSION_PHASES:
        return Verdict(outcome=Outcome.HELD, scope=Scope.TRANSPORT, hold=UNREACHABLE)
    return Verdict(outcome=Outcome.DEFERRED, scope=Scope.RECIPIENT)


def _transport_hold(answer: Answer) -> timedelta:
    assert answer.code is not None  # noqa: S101
    if hold := TRANSPORT_ENHANCED.get(answer.enhanced) or TRANSPORT_CODES.get(answer.code):
        return hold
    if answer.phase in SESSION_PHASES - {Phase.MAIL}:
        return REFUSED_LOGIN if answer.phase is Phase.AUTH else UNREACHABLE
    return timedelta(0)


def _scope_of_refusal(answer: Answer) -> Scope:
    if answer.enhanced in TOO_BIG:
        return Scope.MESSAGE
    if answer.phase is Phase.MAIL or POLICY.match(answer.enhanced):
        return Scope.SENDER
    return Scope.RECIPIENT


DELAYS = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240)]


def backoff(attempts: int, *, jitter: float | None = None) -> timedelta:
    """How long a Delivery waits after its `attempts`-th deferral: 1, 5, 15, 60 min, then 4 h.

    `jitter` in [-1, 1] moves it by up to a fifth; by default it is drawn at random.
    """
    delay = DELAYS[min(max(attempts, 1), len(DELAYS)) - 1]
    drawn = random.uniform(-1, 1) if jitter is None else jitter  # noqa: S311
    return delay + delay * 0.2 * drawn


def hold_time(first: timedelta, holds_in_a_row: int) -> timedelta:
    """How long the transport waits at its n-th hold in a row: doubled each time.

    An outage is looked at again every 20 s at the latest, a throttling server after 15 min.
    """
    longest = LONGEST_OUTAGE_HOLD if first <= UNREACHABLE else max(first, LONGEST_HOLD)
    doublings = min(max(holds_in_a_row, 1) - 1, 20)
    return min(first * (1 << doublings), longest)
