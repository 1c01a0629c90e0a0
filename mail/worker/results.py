"""Results: what a claimed Batch leaves in the record.

Every write but one is conditional on the claim: a worker that lost it changes nothing. The
exception is a 250, which is a fact whoever owns the Batch.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from mail.ledger import changes, transitions
from mail.ledger.changes import Changes
from mail.ledger.states import State
from mail.models import Attempt, Batch, Delivery
from mail.transport.classification import Outcome, Verdict
from mail.transport.replies import SESSION_PHASES, Reply
from mail.worker import accepted
from mail.worker.accepted import Accepted
from mail.worker.backoff import backoff
from mail.worker.claims import Claim, ClaimedDelivery

SHORTEST_DEFERRAL = timedelta(minutes=1)
ATTEMPT_OUTCOMES = {
    State.FAILED: Attempt.Outcome.FAILED,
    State.UNCERTAIN: Attempt.Outcome.UNCERTAIN,
    State.QUEUED: Attempt.Outcome.DEFERRED,
}


class Results:
    """The results of one claim: 250s in memory until the end, anything else written at once."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.accepted: list[Accepted] = []
        self.through_id = 0
        """Every Delivery of the Batch up to this id is settled; the next checkpoint says so."""

    def accept(self, delivery: ClaimedDelivery, reply: Reply) -> None:
        """Keep a plain 250; the next checkpoint makes it durable."""
        self.accepted.append(Accepted(delivery, reply, self.claim.lease.clock()))
        self.through_id = delivery.pk

    def settle(self, delivery: ClaimedDelivery, reply: Reply, verdict: Verdict) -> bool:
        """Write anything but a plain 250 to the Delivery's own row and commit it.

        Returns False when the row stays in the Batch: the trouble was not about this mail.
        """
        if verdict.outcome is Outcome.RETURNED and reply.phase in SESSION_PHASES:
            return False
        written = self._changes(delivery, reply, verdict)
        with transaction.atomic():
            if self._write(delivery, written) and written["state"] != State.SENT:
                Attempt.objects.create(
                    delivery_id=delivery.pk,
                    batch_id=self.claim.batch_id,
                    outcome=ATTEMPT_OUTCOMES[written["state"]],
                    scope=verdict.scope,
                    phase=reply.phase,
                    **reply.columns,
                )
        self.through_id = delivery.pk
        return True

    def expire(self, delivery: ClaimedDelivery) -> None:
        """Fail a Delivery that is past its give-up time."""
        with transaction.atomic():
            self._write(delivery, changes.settled(State.FAILED, code="expired"))

    def release(self, message_ids: Iterable[int]) -> None:
        """Take the Deliveries of Messages that are not settled yet out of the Batch."""
        rows = self._open_rows().filter(message__in=message_ids, pk__gt=self.through_id)
        with transaction.atomic():
            transitions.release(rows)

    def keep(self) -> None:
        """Write the 250s and leave the Batch open, for the rescue to settle the rest."""
        with transaction.atomic():
            accepted.write(self.claim.lease, self.accepted)

    def close(self) -> None:
        """Write the 250s, return what is left to the queue, then close the Batch.

        All slots that deliver one Message wait for its row, whose counts the first transaction
        holds locked; so the second is apart. If the worker dies in between, the rescue closes the
        Batch and finds nothing to settle.
        """
        with transaction.atomic():
            accepted.write(self.claim.lease, self.accepted)
            if self._may_be_unsettled:
                transitions.release(self._open_rows())
        self.claim.checkpoint.close(self.through_id)

    @property
    def _may_be_unsettled(self) -> bool:
        deliveries = self.claim.deliveries
        return bool(deliveries) and deliveries[-1].pk > self.through_id

    def _open_rows(self) -> QuerySet[Delivery]:
        """The rows that still belong to this claim; none once it is lost."""
        mine = Batch.objects.owned_by(self.claim.batch_id, self.claim.lease.token)
        return Delivery.objects.queued().filter(batch__in=mine)

    def _write(self, delivery: ClaimedDelivery, written: Changes) -> bool:
        """Change the row of an open Delivery; return False if the claim does not own it."""
        if not self._open_rows().filter(pk=delivery.pk).update(**written):
            return False
        transitions.count([(delivery.message_id, State.QUEUED, written["state"])])
        transitions.recheck_flags([delivery.message_id])
        return True

    def _changes(self, delivery: ClaimedDelivery, reply: Reply, verdict: Verdict) -> Changes:
        time_left = timedelta(seconds=delivery.expires_in - self.claim.lease.elapsed)
        attempts = delivery.attempts + 1
        written: dict[str, Any]
        match verdict.outcome:
            case Outcome.SENT:
                written = changes.settled(State.SENT, attempts=attempts)
            case Outcome.FAILED:
                written = changes.settled(State.FAILED, attempts=attempts)
            case Outcome.UNCERTAIN:
                policy = self.claim.messages[delivery.message_id].on_uncertain
                written = changes.uncertain(
                    policy, uncertainties=delivery.uncertainties, attempts=attempts
                )
            case Outcome.DEFERRED:
                written = changes.deferred(
                    backoff(attempts), time_left=time_left, attempts=attempts
                )
            case Outcome.RETURNED:
                wait = max(verdict.hold, SHORTEST_DEFERRAL)
                written = changes.deferred(wait, time_left=time_left, attempts=delivery.attempts)
        return reply.columns | written
