"""Stopping: how a Celery child learns that its worker has been told to end.

Celery's prefork children get no signal at a warm shutdown. They share this flag instead, which
lives in memory that was mapped before they were forked.
"""

import multiprocessing
from typing import Any

from celery.signals import worker_process_shutdown, worker_shutting_down

from mail import marks
from mail.transport import kept

_flag = multiprocessing.Value("b", 0, lock=False)


def is_stopping() -> bool:
    """Whether this worker was told to end: finish the mail in hand, release the rest."""
    return bool(_flag.value)


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    _flag.value = 1


@worker_process_shutdown.connect
def _leave(**_: Any) -> None:
    kept.close_all()
    marks.close()
