"""Celery tasks: each carries one id and makes one call.

What a newer relay says besides is ignored, so that old and new workers run side by side.
"""

from functools import partial
from typing import Any

from celery import shared_task

from mail.worker import batch_run, expansion
from mail.worker.shutdown import is_out_of_time, is_stopping

# A task is acknowledged when its work is on record, and goes back when its process dies before.
SAFELY: dict[str, Any] = {
    "acks_late": True,
    "reject_on_worker_lost": True,
    "serializer": "json",
}


@shared_task(name="mail.deliver_batch", ignore_result=True, **SAFELY)
def deliver_batch(batch_id: int, **_: Any) -> None:
    """Deliver one Batch."""
    batch_run.deliver(batch_id, is_stopping=is_stopping, is_out_of_time=is_out_of_time)


@shared_task(name="mail.expand_broadcast", ignore_result=False, **SAFELY)
def expand_broadcast(message_id: int, **_: Any) -> dict[str, int]:
    """Turn recipients of a broadcast into Deliveries for a while; the relay calls again.

    An outage of the database is waited for: a task that fails would be missed for a minute.
    """
    expand = partial(expansion.expand, message_id, is_stopping=is_stopping)
    recorded = batch_run.when_possible(expand, is_stopping)
    return {"message": message_id, "recorded": recorded}
