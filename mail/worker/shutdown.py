"""Stopping: how a Celery child learns that its worker has been told to end.

Celery's prefork children get no signal at a warm shutdown, and Celery waits for them as long as
they take. They share the moment of that signal instead, in memory that was mapped before they
were forked. A worker ends within ten seconds: its slots give up what they wait for in time to
write down what is known, and what then still runs is ended, for the rescue to settle.
"""

import logging
import multiprocessing
import os
import signal
import threading
import time
from contextlib import suppress
from typing import Any

from billiard import active_children
from celery.signals import worker_process_shutdown, worker_shutting_down

from mail.transport import connections
from mail.worker import checkpoint

logger = logging.getLogger(__name__)

PATIENCE = 6.0  # seconds for the mail in hand; whoever waits looks at it every second
LAST = 9.5

_told_at = multiprocessing.Value("d", 0, lock=False)  # on the clock that all processes share


def is_stopping() -> bool:
    """Whether this worker was told to end: finish the mail in hand, release the rest."""
    return bool(_told_at.value)


def is_out_of_time() -> bool:
    """Whether it was told so long ago that nothing may be waited for any more."""
    return is_stopping() and time.monotonic() - _told_at.value > PATIENCE


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    if not is_stopping():
        _told_at.value = time.monotonic()
        watchdog = threading.Timer(LAST, _end)
        watchdog.daemon = True
        watchdog.start()


def _end() -> None:
    """End this process and its children as they are, if they have not ended by themselves."""
    if is_out_of_time():
        logger.error("not at an end after %s seconds, ended with mail in hand", LAST)
        for pid in filter(None, (child.pid for child in active_children())):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os._exit(1)


@worker_process_shutdown.connect
def _leave(**_: Any) -> None:
    connections.close_all()
    checkpoint.close()
