"""Outcomes: what a claimed Batch leaves in the record.

Every write but one is conditional on the claim: who lost it changes nothing. The exception is a
250, which is a fact whoever holds the lease.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from mail.conf import settings
from mail.ledger import states, transitions
from mail.models import Attempt, Batch, Delivery, Lane, Message, Transport
from mail.transport.replies import SESSION_PHASES, Answer, Outcome, Verdict, backoff, hold_time
from mail.worker import accepted as acceptances
from mail.worker.accepted import Accepted
from mail.worker.claims import Bound, Claim

SHORTEST_DEFERRAL = timedelta(minutes=1)
SMOOTHING = 0.3
MEASURE_EVERY = 0.1  # seconds
State = Delivery.State
_measured_at: dict[Lane, float] = {}


def settle_one(claim: Claim, delivery: Bound, answer: Answer, verdict: Verdict) -> bool:
    """Write anything but a plain 250 to the Delivery's own row and commit it.

    Returns False when the row stays in the Batch: the trouble was not about this mail.
    """
    if verdict.outcome is Outcome.HELD and answer.phase in SESSION_PHASES:
        return False
    changes = _changes(claim, delivery, answer, verdict)
    with transaction.atomic():
        if _leave(claim, delivery, changes) and changes["state"] != State.SENT:
            _note_attempt(claim, delivery, answer, verdict, changes)
    return True


def expire(claim: Claim, delivery: Bound) -> None:
    """Fail a Delivery that is past its give-up time."""
    with transaction.atomic():
        _leave(claim, delivery, _final(State.FAILED) | {"code": "expired"})


def release(claim: Claim, messages: Iterable[int]) -> None:
    """Take the Deliveries of stopped Messages that come after the cursor out of the Batch."""
    with transaction.atomic():
        transitions.unbind(_open_rows(claim).filter(message__in=messages, pk__gt=claim.through_id))


def keep(claim: Claim, accepted: Sequence[Accepted]) -> None:
    """Write the 250s in bulk: facts, whoever holds the claim."""
    with transaction.atomic():
        acceptances.write(claim, accepted)


def close(claim: Claim, accepted: Sequence[Accepted]) -> None:
    """Write the 250s in bulk, return what is left to the queue, and then close the Batch.

    All slots that deliver one Message wait for its row, whose counts the first transaction holds
    locked; so nothing is in it that can follow. Of a worker that dies in between, the rescue
    closes the Batch and finds nothing to settle.
    """
    with transaction.atomic():
        acceptances.write(claim, accepted)
        if claim.is_unsettled:
            transitions.unbind(_open_rows(claim))
    claim.end()


def measure(lane: Lane, *, mails: int, seconds: float) -> None:
    """Carry what a Batch took into the lane's recent pace, by which the relay sizes Batches.

    Of the many that the slots of one process end in a moment, one stands for all.
    """
    if mails and time.monotonic() - _measured_at.get(lane, 0.0) > MEASURE_EVERY:
        _measured_at[lane] = time.monotonic()
        pace = F("ms_per_mail") * (1 - SMOOTHING) + SMOOTHING * 1000 * seconds / mails
        Transport.objects.filter(lane=lane).update(ms_per_mail=pace, holds_in_a_row=0)


def hold_transport(lane: Lane, verdict: Verdict, answer: Answer) -> None:
    """Let the lane wait, twice as long as at its last hold without a mail in between.

    A hold that is in force, an operator's above all, stays as it is.
    """
    free = Q(held_until=None) | Q(held_until__lte=Now())
    row = Transport.objects.filter(free, lane=lane).first()
    if row:
        wait = hold_time(verdict.hold, row.holds_in_a_row + 1)
        Transport.objects.filter(free, lane=lane).update(
            held_until=Now() + wait,
            held_by="",
            reason=f"{answer.phase} {answer.code or ''} {answer.enhanced} {answer.text}".strip(),
            holds_in_a_row=F("holds_in_a_row") + 1,
        )


def pause(message: Message, reason: str) -> None:
    """Stop what is left of a Message until a person has looked at it."""
    transitions.flag(message.pk, message.lane, paused_at=Now(), pause_reason=reason)


def _open_rows(claim: Claim) -> Any:
    """The rows that still belong to this claim, none once it is lost."""
    mine = Batch.objects.filter(pk=claim.batch_id, token=claim.token, closed_at=None)
    return Delivery.objects.filter(state=State.QUEUED, batch__in=mine)


def _leave(claim: Claim, delivery: Bound, changes: dict[str, Any]) -> bool:
    """Change the row of an open Delivery; False when it is not this claim's any more."""
    if not _open_rows(claim).filter(pk=delivery.pk).update(**changes):
        return False
    transitions.count([(delivery.message_id, State.QUEUED, changes["state"])])
    transitions.notice_flags([delivery.message_id])
    return True


def _changes(claim: Claim, delivery: Bound, answer: Answer, verdict: Verdict) -> dict[str, Any]:
    """The columns an answer changes, `state` among them."""
    said, patience = answer.columns, timedelta(seconds=delivery.expires_in - claim.elapsed)
    match verdict.outcome:
        case Outcome.SENT:
            return _final(State.SENT) | said | {"attempts": delivery.attempts + 1}
        case Outcome.FAILED:
            return _final(State.FAILED) | said | {"attempts": delivery.attempts + 1}
        case Outcome.UNCERTAIN:
            return said | _uncertain(delivery, claim.messages[delivery.message_id])
        case Outcome.HELD:
            return said | _deferred(
                delivery, max(verdict.hold, SHORTEST_DEFERRAL), patience, spent=0
            )
        case Outcome.DEFERRED:
            return said | _deferred(delivery, backoff(delivery.attempts + 1), patience, spent=1)


def _deferred(
    delivery: Bound, wait: timedelta, patience: timedelta, *, spent: int
) -> dict[str, Any]:
    if wait > patience:
        return _final(State.FAILED) | {"code": "expired", "attempts": delivery.attempts + spent}
    return {
        "state": State.QUEUED,
        "due_at": Now() + wait,
        "batch": None,
        "attempts": delivery.attempts + spent,
    }


def _uncertain(delivery: Bound, message: Message) -> dict[str, Any]:
    return {
        "state": State.UNCERTAIN,
        "settled_at": Now(),
        "due_at": when_resent(message.on_uncertain, delivery.uncertainties),
        "uncertainties": delivery.uncertainties + 1,
        "attempts": delivery.attempts + 1,
    }


def when_resent(on_uncertain: str, uncertainties: int) -> Any:
    """When an uncertain Delivery is queued by itself: once, after a wait; None holds it."""
    again = states.comes_again(on_uncertain, uncertainties)
    return Now() + settings.MAIL_UNCERTAIN_WAIT if again else None


def _final(state: Delivery.State) -> dict[str, Any]:
    return {"state": state, "settled_at": Now(), "due_at": None}


def _note_attempt(
    claim: Claim, delivery: Bound, answer: Answer, verdict: Verdict, changes: dict[str, Any]
) -> None:
    outcomes = {State.FAILED: "failed", State.UNCERTAIN: "uncertain", State.QUEUED: "deferred"}
    Attempt.objects.create(
        delivery_id=delivery.pk,
        batch_id=claim.batch_id,
        outcome=outcomes[changes["state"]],
        scope=verdict.scope,
        phase=answer.phase,
        **answer.columns,
    )
