"""Celery tasks: each carries one id and makes one call.

Keyword arguments from a newer relay are ignored, so that old and new workers can run side by side.
"""

from functools import partial
from typing import Any

from celery import shared_task

from mail.worker import batch_run, expansion
from mail.worker.database import retry_while_unavailable
from mail.worker.shutdown import is_out_of_time, is_stopping

# A task is acknowledged once its work is recorded, and redelivered if its process dies first.
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
    """Record recipients of a broadcast for about a second; the relay then publishes the next task.

    The task waits while the database is unavailable: a failed one is only republished a minute
    later.
    """
    expand = partial(expansion.expand, message_id, is_stopping=is_stopping)
    recorded = retry_while_unavailable(expand, is_stopping)
    return {"message": message_id, "recorded": recorded}
