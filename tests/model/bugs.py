"""Seeded bugs: what a careless change could do to Moa, for the negative controls of the search.

Each is made in a process of its own, after Django was set up; production code has none.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now

from mail import outbox
from mail.ledger import changes, transitions
from mail.ledger.states import Settlement
from mail.models import Batch, Delivery
from mail.relay import rescue
from mail.worker import claims
from mail.worker.batch_run import BatchRun
from mail.worker.checkpoint import Checkpoint
from mail.worker.lease import LeaseLost
from tests.model.outside import Broker


@dataclass(frozen=True)
class Bug:
    """A fault, and how it is made."""

    what: str
    install: Callable[[], None]


def _rescue_ignores_begun() -> None:
    known = rescue.settlement

    def careless(open_ids: Any, *, begun: bool, **cursor: Any) -> Settlement:
        return known(open_ids, begun=False, **cursor)

    rescue.settlement = careless


def _rescue_trusts_lost_marks() -> None:
    known = rescue.settlement

    def careless(open_ids: Any, *, checkpoints_missing: bool, **cursor: Any) -> Settlement:
        return known(open_ids, checkpoints_missing=False, **cursor)

    rescue.settlement = careless


def _rescue_at_once() -> None:
    def hasty(self: Any) -> int:
        claimed = Batch.objects.filter(closed_at=None, token__isnull=False)
        leases = claimed.values_list("pk", "token", "lease_until")
        return sum(rescue.settle(*lease) for lease in leases)

    rescue.Rescuer.rescue = hasty  # type: ignore[method-assign]


def _claim_without_condition() -> None:
    take = claims.take

    @wraps(take)
    def careless(batch_id: int, *token: Any, **own: Any) -> Any:
        Batch.objects.filter(pk=batch_id).update(token=None)
        return take(batch_id, *token, **own)

    claims.take = careless


def _resend_without_condition() -> None:
    def careless(deliveries: QuerySet[Delivery], **_: Any) -> int:
        return transitions.requeue(deliveries.exclude(state__in=["sent", "cancelled"]))

    outbox.resend = careless


def _record_after_the_next_dot() -> None:
    write = Checkpoint.write

    def late(self: Any, through_id: int, *, begun: bool) -> float:
        known, self.known = getattr(self, "known", 0), through_id
        return write(self, known if begun else through_id, begun=begun)

    Checkpoint.write = late  # type: ignore[method-assign]


def _publish_without_looking() -> None:
    Broker.ready = lambda self, queue: 0  # type: ignore[method-assign]


def _resend_what_is_held() -> None:
    changes.resend_at = lambda *_: Now()


def _forget_to_count() -> None:
    count = transitions.count

    def careless(moves: Any) -> None:
        count(move for move in moves if move[2] != "sent")

    transitions.count = careless


def _ignore_a_lost_lease() -> None:
    before_end_of_data = BatchRun.before_end_of_data

    def stubborn(self: Any) -> None:
        with suppress(LeaseLost):
            before_end_of_data(self)

    BatchRun.before_end_of_data = stubborn  # type: ignore[method-assign]


BUGS = {
    "rescue-ignores-begun": Bug(
        "a dead worker's mail in hand is queued again as if no dot had been written",
        _rescue_ignores_begun,
    ),
    "rescue-trusts-lost-marks": Bug(
        "after a crash of PostgreSQL the cursor is believed as before", _rescue_trusts_lost_marks
    ),
    "rescue-at-once": Bug(
        "what a worker has claimed is settled without waiting for the end of its lease",
        _rescue_at_once,
    ),
    "claim-without-condition": Bug(
        "a claim takes a Batch that has an owner", _claim_without_condition
    ),
    "resend-without-condition": Bug(
        "a resend queues what waits, or is in a worker's hands, again", _resend_without_condition
    ),
    "record-after-the-next-dot": Bug(
        "a 250 is made durable only after the next terminating dot", _record_after_the_next_dot
    ),
    "publish-without-looking": Bug(
        "ids are published again that still wait in the queue", _publish_without_looking
    ),
    "resend-what-is-held": Bug("a kind that holds is resent like any other", _resend_what_is_held),
    "forget-to-count": Bug(
        "the rows of accepted mails change, the counts of their Message do not", _forget_to_count
    ),
    "ignore-a-lost-lease": Bug(
        "a worker writes its dot although the Batch is another's", _ignore_a_lost_lease
    ),
}
