"""Holds: a lane waits for its transport, or a Message for a person."""

import logging

from django.db.models import F
from django.db.models.functions import Now

from mail.ledger import transitions
from mail.models import Lane, Message, Transport
from mail.transport.classification import Verdict
from mail.transport.replies import Reply
from mail.worker.backoff import hold_time

logger = logging.getLogger(__name__)


def hold_transport(lane: Lane, verdict: Verdict, reply: Reply) -> None:
    """Hold the transport of a lane, twice as long as the last time unless a mail left in between.

    A hold that is in force, an operator's above all, stays as it is.
    """
    logger.warning("transport %s is held: %s %s", lane, reply.phase, reply.code or "no reply")
    row = Transport.objects.filter(lane=lane).not_held().first()
    if row:
        wait = hold_time(verdict.hold, row.holds_in_a_row + 1)
        Transport.objects.filter(lane=lane).not_held().hold(
            Now() + wait, reason=str(reply), holds_in_a_row=F("holds_in_a_row") + 1
        )


def pause_message(message: Message, reason: str) -> None:
    """Stop what is left of a Message until a person has looked at it."""
    logger.error("message %s is paused: its mails are refused", message.pk)
    transitions.set_flags(message, paused_at=Now(), pause_reason=reason)
