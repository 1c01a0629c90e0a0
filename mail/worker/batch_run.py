"""One run of a Batch: claim it, speak SMTP for each of its mails, record what became of each.

No transaction is open while SMTP is spoken. Mails leave in the order of their Delivery ids, and
each result is durable before the next end of data: a plain 250 by the checkpoint that precedes
it, anything else in its own row. So of a worker that dies, at most one mail is uncertain.
"""

import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from mail.transport.base import Connection, Envelope, OutOfTime
from mail.transport.classification import OUTAGE, Outcome, Verdict, classify
from mail.transport.replies import Phase, Reply
from mail.worker import claims, database, holds
from mail.worker.claims import Claim, ClaimedDelivery
from mail.worker.database import UNAVAILABLE, retry_while_unavailable
from mail.worker.lease import LeaseLost
from mail.worker.rate_limit import RateLimit
from mail.worker.rendering import Renderer
from mail.worker.results import Results
from mail.worker.slot import SLOT, Slot

logger = logging.getLogger(__name__)

T = TypeVar("T")

LOSSES_THAT_HOLD = 3
Trouble = tuple[Verdict, Reply]
"""Why the transport must be held."""


def deliver(
    batch_id: int,
    *,
    is_stopping: Callable[[], bool],
    is_out_of_time: Callable[[], bool] = lambda: False,
    slot: Slot = SLOT,
) -> None:
    """Deliver a Batch, or do nothing when it cannot be claimed.

    The connection is opened before the claim: no lease runs while a server does not answer.
    `is_stopping` is asked between mails; once true, the rest of the Batch is released. Once
    `is_out_of_time` is true, neither server nor database is waited for any longer: raises the
    database's error when a result could not be written, which leaves the Batch to the rescue.
    """
    lane = retry_while_unavailable(partial(claims.claimable_lane, batch_id), is_stopping)
    database.return_connection()
    if lane and (reply := slot.connections.of(lane).open()):
        hold = partial(holds.hold_transport, lane, classify(reply), reply)
        retry_while_unavailable(hold, is_stopping)
    take = partial(claims.take, batch_id, uuid.uuid4(), sessions=slot.sessions)
    if claim := retry_while_unavailable(take, is_stopping):
        BatchRun(claim, slot, is_stopping, is_out_of_time).run()


class BatchRun:
    """One claimed Batch on its way to the server, and the callbacks of its connection."""

    def __init__(
        self,
        claim: Claim,
        slot: Slot,
        is_stopping: Callable[[], bool],
        is_out_of_time: Callable[[], bool] = lambda: False,
    ) -> None:
        self.claim = claim
        self.slot = slot
        self.is_stopping = is_stopping
        self.is_out_of_time = is_out_of_time
        self.connection: Connection = slot.connections.of(claim.lane)
        self.renderer = Renderer(claim, slot.last_template)
        self.results = Results(claim)
        self.rate_limit = RateLimit(claim.lane, len(claim.deliveries), clock=claim.lease.now)
        self.is_pooled = database.is_pooled()
        self.following: ClaimedDelivery | None = None
        """The Delivery after the current one."""
        self.rendered: tuple[int, Envelope] | None = None
        """The mail rendered ahead, and the id of its Delivery."""
        self.offered: Counter[int] = Counter()
        """How many mails of each Message were settled."""
        self.losses = slot.losses[claim.lane]
        self.skipped: set[int] = set()
        """The Messages that were taken out of the Batch."""

    def run(self) -> None:
        """Offer every mail, write the results, release what is left, close the Batch."""
        started = time.monotonic()
        trouble: Trouble | None = None
        try:
            self._skip({pk for pk, one in self.claim.messages.items() if one.is_stopped})
            trouble = self._offer_all()
        except LeaseLost:
            logger.warning("batch %s: the lease is lost; stopped", self.claim.batch_id)
        except UNAVAILABLE:
            logger.warning("batch %s: the database is unavailable; stopped", self.claim.batch_id)
        except OutOfTime:
            logger.warning("batch %s: shutting down; the rest is released", self.claim.batch_id)
        except Exception:
            # A fault of ours: keep the facts and leave the rest to the rescue, which isolates it.
            self._until_written(self.results.keep)
            raise
        finally:
            self.connection.withdraw()
            self.slot.losses[self.claim.lane] = self.losses
            self.slot.auto_pause.note(self.offered)
        self._finish(time.monotonic() - started, trouble)

    def prepare_end_of_data(self) -> Envelope | None:
        """Begin the checkpoint, and render the following mail while it is written."""
        self.claim.checkpoint.start(self.results.through_id)
        following = self.following
        if following is None or following.message_id in self.skipped:
            return None
        try:
            self.rendered = following.pk, self.renderer.render(following)
        except Exception:  # it is reported when that mail is offered
            return None
        finally:
            if self.is_pooled:
                database.return_connection()
        return self.rendered[1]

    def before_end_of_data(self) -> None:
        """Make what is settled so far durable, and renew the lease. Raises LeaseLost."""
        self._write_checkpoint(begun=True)
        self.claim.lease.require()

    def while_waiting(self) -> None:
        """Renew the lease; a renewal that fails is noticed by `before_end_of_data`.

        Raises OutOfTime when this process must end.
        """
        if self.is_out_of_time():
            raise OutOfTime
        with suppress(Exception):
            self._write_checkpoint(begun=False)

    def _write_checkpoint(self, *, begun: bool) -> None:
        since = self.claim.checkpoint.write(self.results.through_id, begun=begun)
        self.claim.lease.renew(since)

    def _offer_all(self) -> Trouble | None:
        """Offer the mails one by one; return why the transport must be held, if it must."""
        lease, deliveries = self.claim.lease, self.claim.deliveries
        for delivery, following in zip(deliveries, [*deliveries[1:], None], strict=True):
            if self.claim.checkpoint.flags_changed:
                self._skip(self.claim.read_stopped_messages())
            if delivery.message_id in self.skipped:
                continue
            if self.rate_limit.is_unlimited:
                if self.is_stopping():
                    return None
            elif not self.rate_limit.wait(self.while_waiting, self.is_stopping):
                return None
            if lease.clock() - lease.taken_at >= delivery.expires_in:
                self._until_written(partial(self.results.expire, delivery))
                continue
            self.following = following if self.rate_limit.is_unlimited else None
            if trouble := self._offer(delivery):
                return trouble
        return None

    def _offer(self, delivery: ClaimedDelivery) -> Trouble | None:
        """Offer one mail and record the reply; return it when the transport must be held."""
        reply = self._deliver(delivery)
        if reply.is_plain_acceptance:
            self.results.accept(delivery, reply)
            self.offered[delivery.message_id] += 1
            self.losses = 0
            return None
        verdict = classify(reply)
        settle = partial(self.results.settle, delivery, reply, verdict)
        if self._until_written(settle):
            self.offered[delivery.message_id] += 1
            self._pause_if_refused(delivery, verdict, reply)
        self.losses = self.losses + 1 if reply.is_loss else 0
        if self.losses >= LOSSES_THAT_HOLD:
            return OUTAGE, reply
        return (verdict, reply) if verdict.outcome is Outcome.RETURNED else None

    def _deliver(self, delivery: ClaimedDelivery) -> Reply:
        rendered, self.rendered = self.rendered, None
        if rendered and rendered[0] == delivery.pk:
            return self.connection.deliver(rendered[1], self)
        try:
            envelope = self.renderer.render(delivery)
        except UNAVAILABLE:
            raise
        except Exception as error:  # its text may hold parts of the mail: log its type only
            reason = type(error).__name__
            logger.error("delivery %s: its mail cannot be rendered: %s", delivery.pk, reason)
            return Reply(phase=Phase.CONTENT, code=554, text=f"content: {reason}")
        if self.is_pooled:
            database.return_connection()
        return self.connection.deliver(envelope, self)

    def _pause_if_refused(self, delivery: ClaimedDelivery, verdict: Verdict, reply: Reply) -> None:
        """Pause the Message when its other mails would be refused as this one was."""
        message = self.claim.messages[delivery.message_id]
        offered = self.offered[message.pk]
        reason = self.slot.auto_pause.reason(message, verdict, reply, offered=offered)
        if reason:
            self._until_written(partial(holds.pause_message, message, reason))
            self._skip({message.pk})

    def _skip(self, message_ids: set[int]) -> None:
        """Take paused and cancelled Messages out of the Batch, before the cursor passes them."""
        if message_ids:
            self._until_written(partial(self.results.release, message_ids))
        self.skipped |= message_ids

    def _finish(self, seconds: float, trouble: Trouble | None) -> None:
        lane, mails = self.claim.lane, len(self.results.accepted)
        settled = self.offered.total()
        self._until_written(self.results.close)
        self._until_written(partial(self.slot.pace.measure, lane, mails=mails, seconds=seconds))
        self._until_written(partial(self.rate_limit.return_unused, settled))
        if trouble:
            self._until_written(partial(holds.hold_transport, lane, *trouble))

    def _until_written(self, write: Callable[[], T]) -> T:
        """Write a result, waiting for the database: what a server said is not forgotten.

        Raises the database's error once this process is out of time.
        """
        return retry_while_unavailable(write, self.is_out_of_time)
