"""Shutdown: how the slots of a worker learn that it got SIGTERM.

Celery's prefork children get no signal at a warm shutdown, and Celery waits for them as long as
they take. So they share the time of that signal, in memory mapped before they were forked. A
worker ends within ten seconds: its slots stop waiting early enough to write down what is known.
Whatever still runs after that is killed, and the rescue settles its Batches.
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

from mail.worker.slot import SLOT

logger = logging.getLogger(__name__)

PATIENCE = 6.0  # seconds to finish the current mail; waiting slots check it every second
LAST = 9.5  # seconds until whatever still runs is killed

_told_at = multiprocessing.Value("d", 0, lock=False)  # time.monotonic(), the same in all processes


def is_stopping() -> bool:
    """Whether this worker is shutting down: finish the current mail, release the rest."""
    return bool(_told_at.value)


def is_out_of_time() -> bool:
    """Whether it was told so long ago that nothing may be waited for any longer."""
    return is_stopping() and time.monotonic() - _told_at.value > PATIENCE


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    if not is_stopping():
        _told_at.value = time.monotonic()
        timer = threading.Timer(LAST, _kill)
        timer.daemon = True
        timer.start()


def _kill() -> None:
    """Kill this process and its children, unless they have ended."""
    if is_out_of_time():
        logger.error("still running after %s s; killed with a delivery in flight", LAST)
        for pid in filter(None, (child.pid for child in active_children())):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os._exit(1)


@worker_process_shutdown.connect
def _leave(**_: Any) -> None:
    SLOT.close()
