"""Seeded bugs: what a careless change could do to Moa, for the negative controls.

A process that the nursery starts with CRASH_BUG has one of them; production code has none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.db.models.functions import Now


@dataclass(frozen=True)
class Bug:
    """A fault, how it is made, and the test that must find it."""

    what: str
    install: Callable[[], None]
    found_by: str


def _acknowledge_early() -> None:
    from mail import tasks
    from mail.relay import dispatch

    tasks.deliver_batch.acks_late = False
    dispatch.republish = lambda *_: 0


def _claim_without_condition() -> None:
    from mail.models import Batch
    from mail.worker import claims

    take = claims.take

    @wraps(take)
    def careless(batch_id: int, *token: Any, **own: Any) -> Any:
        Batch.objects.filter(pk=batch_id).update(token=None)
        return take(batch_id, *token, **own)

    claims.take = careless


def _rescue_at_once() -> None:
    from mail.models import Batch
    from mail.relay import rescue

    def hasty(self: Any) -> int:
        claimed = Batch.objects.filter(closed_at=None, token__isnull=False)
        return sum(
            rescue.settle(*row) for row in claimed.values_list("pk", "token", "lease_until")
        )

    rescue.Rescuer.rescue = hasty  # type: ignore[method-assign]


def _record_after_the_next_dot() -> None:
    from mail.worker.checkpoint import Checkpoint

    start = Checkpoint.start

    def late(self: Any, through_id: int) -> None:
        start(self, getattr(self, "known", 0))
        self.known = through_id

    Checkpoint.start = late  # type: ignore[method-assign]


def _publish_without_looking() -> None:
    from mail.relay.publisher import Publisher

    Publisher.ready = lambda self, queue: 0  # type: ignore[method-assign]


def _ignore_a_lost_lease() -> None:
    from contextlib import suppress

    from mail.worker.batch_run import BatchRun
    from mail.worker.lease import LeaseLost

    before_end_of_data = BatchRun.before_end_of_data

    def stubborn(self: Any) -> None:
        with suppress(LeaseLost):
            before_end_of_data(self)

    BatchRun.before_end_of_data = stubborn  # type: ignore[method-assign]


def _resend_what_is_held() -> None:
    from mail.ledger import changes

    changes.resend_at = lambda *_: Now()


BUGS = {
    "acknowledge-early": Bug(
        "a task is acknowledged before its Batch is claimed, and no id is published again",
        _acknowledge_early,
        "test_once.py::test_c6_a_task_that_dies_with_its_worker_is_resent",
    ),
    "claim-without-condition": Bug(
        "a claim takes a Batch that has an owner",
        _claim_without_condition,
        "test_once.py::test_i3_a_batch_that_is_published_twice_has_one_owner",
    ),
    "rescue-at-once": Bug(
        "what a worker has claimed is sent again without waiting for the end of its lease",
        _rescue_at_once,
        "test_once.py::test_i3_a_worker_that_waits_for_a_slow_server_keeps_its_batch",
    ),
    "record-after-the-next-dot": Bug(
        "a 250 is made durable only after the next terminating dot",
        _record_after_the_next_dot,
        "test_once.py::test_i4_of_a_killed_worker_only_the_current_mail_is_uncertain",
    ),
    "publish-without-looking": Bug(
        "ids are published again that still wait in the queue",
        _publish_without_looking,
        "test_relay.py::test_a_task_that_waits_in_the_queue_is_not_published_again",
    ),
    "ignore-a-lost-lease": Bug(
        "a worker writes its dot although the Batch is another's",
        _ignore_a_lost_lease,
        "test_pause.py::test_i3_a_worker_that_wakes_up_too_late_stops",
    ),
    "resend-what-is-held": Bug(
        "a kind that holds is resent like any other",
        _resend_what_is_held,
        "test_once.py::test_i4_of_a_killed_worker_only_the_current_mail_is_uncertain",
    ),
}
