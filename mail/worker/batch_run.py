"""Delivery of a Batch: claim it, speak SMTP for each of its mails, record what came of it.

No transaction is open while SMTP is spoken. Mails leave in the order of their Delivery ids, and
each result is durable before the next terminating dot: a plain 250 by the mark that precedes that
dot, anything else in its own row. So of a worker that dies, at most one mail is uncertain.
"""

import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import psycopg
from django.db import InterfaceError, InternalError, OperationalError, connection

from mail.models import Lane
from mail.transport.base import Envelope, OutOfTime, Transport
from mail.transport.connections import transport_for
from mail.transport.replies import UNREACHABLE, Answer, Outcome, Phase, Scope, Verdict, classify
from mail.worker import claims, database, rate_limit, results
from mail.worker.accepted import Accepted
from mail.worker.auto_pause import Refusals
from mail.worker.checkpoint import LeaseLost
from mail.worker.claims import Bound, Claim
from mail.worker.rate_limit import Pacer
from mail.worker.rendering import Copies

logger = logging.getLogger(__name__)

T = TypeVar("T")

LOSSES_THAT_HOLD = 3
ACCEPTED = Verdict(outcome=Outcome.SENT, scope=Scope.RECIPIENT)
OUTAGE = Verdict(outcome=Outcome.HELD, scope=Scope.TRANSPORT, hold=UNREACHABLE)
# A server that failed over and is read-only for now says so as an internal error.
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError, psycopg.OperationalError)
DATABASE_RETRY = 0.5  # seconds


def deliver(
    batch_id: int,
    *,
    is_stopping: Callable[[], bool],
    is_out_of_time: Callable[[], bool] = lambda: False,
) -> None:
    """Deliver a Batch, or do nothing when it cannot be claimed.

    The connection is opened before the claim: no lease runs out while a server does not answer.
    `is_stopping` is asked between mails; once true, the rest of the Batch is released. Once
    `is_out_of_time` is true, neither server nor database is waited for any longer: raises the
    database's error when a result could not be written, which leaves the Batch to the rescue.
    """
    lane = when_possible(partial(claims.lane_of, batch_id), is_stopping)
    database.give_back()
    if lane and (answer := transport_for(lane).open()):
        when_possible(partial(hold, lane, classify(answer), answer), is_stopping)
    if claim := when_possible(partial(claims.take, batch_id, uuid.uuid4()), is_stopping):
        claim.is_out_of_time = is_out_of_time
        Run(claim, transport_for(claim.lane), is_stopping).run()


def when_possible(ask: Callable[[], T], must_end: Callable[[], bool]) -> T:
    """Ask the database, or tell it; while it is away, wait for it.

    To give up would spend the task, and the Batch would lie until its id is published again.
    Raises the database's error once `must_end` is true.
    """
    while True:
        try:
            return ask()
        except DATABASE_AWAY:
            connection.close()
            if must_end():
                raise
            logger.warning("the database is away")
            time.sleep(DATABASE_RETRY)


def hold(lane: Lane, verdict: Verdict, answer: Answer) -> None:
    """Let the lane wait for its server."""
    logger.warning("%s is held: %s %s", lane, answer.phase, answer.code or "no reply")
    results.hold_transport(lane, verdict, answer)


class Losses(threading.local):
    """In how many mails in a row this slot's servers fell silent, over Batches of any size."""

    def __init__(self) -> None:
        self.in_a_row: Counter[str] = Counter()

    def count(self, lane: Lane, *, is_loss: bool) -> int:
        """Count one mail; return how many were lost in a row, this one included."""
        self.in_a_row[lane] = self.in_a_row[lane] + 1 if is_loss else 0
        return self.in_a_row[lane]


_losses, _refusals = Losses(), Refusals()


class Run:
    """One claimed Batch on its way to the server."""

    def __init__(
        self, claim: Claim, transport: Transport, is_stopping: Callable[[], bool]
    ) -> None:
        self.claim = claim
        self.transport = transport
        self.is_stopping = is_stopping
        self.accepted: list[Accepted] = []
        self.copies = Copies(claim)
        self.stopped: set[int] = set()
        self.pacer = Pacer(claim.lane, len(claim.deliveries), clock=claim.now)
        self.settled = 0

    def run(self) -> None:
        """Offer every mail, then write the acceptances, release what is left, close the Batch."""
        started = time.monotonic()
        trouble: tuple[Verdict, Answer] | None = None
        try:
            self._skip({pk for pk, message in self.claim.messages.items() if message.is_stopped})
            trouble = self._offer_all()
        except LeaseLost:
            logger.warning("batch %s: the claim is lost, stopped", self.claim.batch_id)
        except DATABASE_AWAY:
            logger.warning("batch %s: the database is away, stopped", self.claim.batch_id)
        except OutOfTime:
            logger.warning("batch %s: told to end, the mail in hand stays", self.claim.batch_id)
        except Exception:
            # A fault of ours: keep the facts, leave the rest to the rescue, which finds the culprit.
            self._until_written(lambda: results.keep(self.claim, self.accepted))
            raise
        finally:
            self.transport.withdraw()
        seconds = time.monotonic() - started
        self._until_written(lambda: results.close(self.claim, self.accepted))
        lane, mails = self.claim.lane, len(self.accepted)
        self._until_written(lambda: results.measure(lane, mails=mails, seconds=seconds))
        self._until_written(
            lambda: rate_limit.give_back(
                lane, self.pacer.reserved - self.settled, clock=self.claim.now
            )
        )
        if trouble:
            self._until_written(partial(hold, lane, *trouble))

    def _offer_all(self) -> tuple[Verdict, Answer] | None:
        """Offer the mails one by one; return why the transport must wait, if it must."""
        for number, delivery in enumerate(self.claim.deliveries):
            if self.claim.recalled:
                self._skip(self.claim.stopped_messages())
            if delivery.message_id in self.stopped:
                continue
            if not self.pacer.wait(self.claim.while_waiting, self.is_stopping):
                return None
            if self.claim.elapsed >= delivery.expires_in:
                self._until_written(partial(results.expire, self.claim, delivery))
            elif trouble := self._offer(
                delivery, self._following(number) if self.pacer.is_free else None
            ):
                return trouble
        return None

    def _following(self, number: int) -> Bound | None:
        """The Delivery after the n-th, if it is to be offered as far as we know now."""
        after = self.claim.deliveries[number + 1 : number + 2]
        return after[0] if after and after[0].message_id not in self.stopped else None

    def _until_written(self, write: Callable[[], T]) -> T:
        """Write a result though the database is away: what a server said is not forgotten.

        Raises the database's error once this process is out of time.
        """
        return when_possible(write, self.claim.is_out_of_time)

    def _skip(self, stopped: set[int]) -> None:
        """Take paused and cancelled Messages out of the Batch, before the cursor passes them."""
        if stopped:
            self._until_written(lambda: results.release(self.claim, stopped))
        self.stopped |= stopped

    def _offer(self, delivery: Bound, following: Bound | None) -> tuple[Verdict, Answer] | None:
        """Offer one mail and record the answer; return it when the transport must wait."""
        answer = self._answer(delivery, following)
        verdict = ACCEPTED if answer.is_plain_acceptance else classify(answer)
        if verdict is ACCEPTED:
            self.accepted.append(Accepted(delivery, answer, self.claim.elapsed))
            settled = True
        else:
            settled = self._until_written(
                lambda: results.settle_one(self.claim, delivery, answer, verdict)
            )
        if settled:
            self.claim.through_id = delivery.pk
            self.settled += 1
            self._stop_if_refused(delivery, verdict, answer)
        if _losses.count(self.claim.lane, is_loss=answer.is_loss) >= LOSSES_THAT_HOLD:
            return OUTAGE, answer
        return (verdict, answer) if verdict.outcome is Outcome.HELD else None

    def _stop_if_refused(self, delivery: Bound, verdict: Verdict, answer: Answer) -> None:
        """Pause the Message when its other mails would be refused as this one was."""
        message = self.claim.messages[delivery.message_id]
        if reason := _refusals.stop(message, verdict, answer):
            logger.error("message %s is paused: %s %s", message.pk, answer.phase, answer.code)
            self._until_written(partial(results.pause, message, reason))
            self._skip({message.pk})

    def _answer(self, delivery: Bound, following: Bound | None) -> Answer:
        try:
            envelope = self.copies.of(delivery)
        except DATABASE_AWAY:
            raise
        except Exception as error:  # whose text may hold the mail, and belongs in no log
            reason = type(error).__name__
            logger.error("delivery %s: its content cannot be made: %s", delivery.pk, reason)
            return Answer(phase=Phase.CONTENT, code=554, text=f"content: {reason}")
        database.give_back()
        return self.transport.deliver(envelope, self.claim, partial(self._early, following))

    def _early(self, following: Bound | None) -> Envelope | None:
        """The mail that comes next; what is wrong with it is for its own turn."""
        try:
            return self.copies.of(following) if following else None
        except Exception:
            return None
        finally:
            database.give_back()
