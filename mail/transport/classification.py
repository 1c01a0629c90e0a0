"""Classification: what follows from a reply. Pure: no clock, no database, no socket.

Before the end of data a failure is certain: nothing was sent. After it only a reply decides, and
without one nobody can know. A reply is read by its enhanced code (RFC 3463) first, then by its
basic code (RFC 5321 §4.2), never by its text.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from mail.transport.replies import SESSION_PHASES, Phase, Reply


class Scope(StrEnum):
    """What a reply is about, and so what stops."""

    RECIPIENT = "recipient"
    MESSAGE = "message"
    SENDER = "sender"
    TRANSPORT = "transport"


class Outcome(StrEnum):
    """What becomes of the Delivery."""

    SENT = "sent"
    FAILED = "failed"
    DEFERRED = "deferred"  # tried again later, after an attempt was spent
    UNCERTAIN = "uncertain"
    RETURNED = "returned"  # back to the queue, no attempt spent: the transport was at fault


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a reply means."""

    outcome: Outcome
    scope: Scope
    hold: timedelta = timedelta(0)
    """How long the transport is held at first, when it was at fault."""


UNREACHABLE = timedelta(seconds=5)
THROTTLED = timedelta(seconds=15)
REFUSED_LOGIN = timedelta(seconds=60)
OVER_QUOTA = timedelta(hours=1)

# Codes that speak of the transport whatever command they reply to.
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

ACCEPTED = Verdict(outcome=Outcome.SENT, scope=Scope.RECIPIENT)
OUTAGE = Verdict(outcome=Outcome.RETURNED, scope=Scope.TRANSPORT, hold=UNREACHABLE)


def classify(reply: Reply) -> Verdict:
    """What a reply means for the Delivery it was given to, and for which others."""
    if reply.code is None or not 200 <= reply.code < 600:
        return _no_reply(reply.phase)
    if 200 <= reply.code < 300 and reply.phase is Phase.DOT:
        return ACCEPTED
    if reply.code < 400:
        return _no_reply(reply.phase)
    if hold := _transport_hold(reply):
        return Verdict(outcome=Outcome.RETURNED, scope=Scope.TRANSPORT, hold=hold)
    if reply.code < 500 or reply.enhanced in MAILBOX_FULL:
        return Verdict(outcome=Outcome.DEFERRED, scope=Scope.RECIPIENT)
    return Verdict(outcome=Outcome.FAILED, scope=_scope_of_refusal(reply))


def _no_reply(phase: Phase) -> Verdict:
    """No reply, or one that makes no sense: certain before the end of data, unknown after it."""
    if phase is Phase.DOT:
        return Verdict(outcome=Outcome.UNCERTAIN, scope=Scope.RECIPIENT)
    if phase in SESSION_PHASES:
        return OUTAGE
    return Verdict(outcome=Outcome.DEFERRED, scope=Scope.RECIPIENT)


def _transport_hold(reply: Reply) -> timedelta:
    """How long a reply holds the transport; zero if it does not speak of it."""
    assert reply.code is not None  # noqa: S101
    if hold := TRANSPORT_ENHANCED.get(reply.enhanced) or TRANSPORT_CODES.get(reply.code):
        return hold
    if reply.phase in SESSION_PHASES - {Phase.MAIL}:
        return REFUSED_LOGIN if reply.phase is Phase.AUTH else UNREACHABLE
    return timedelta(0)


def _scope_of_refusal(reply: Reply) -> Scope:
    if reply.enhanced in TOO_BIG:
        return Scope.MESSAGE
    if reply.phase is Phase.MAIL or POLICY.match(reply.enhanced):
        return Scope.SENDER
    return Scope.RECIPIENT
