"""The database for a worker: waited for in an outage, released while SMTP is spoken."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, connection

logger = logging.getLogger(__name__)

T = TypeVar("T")

# A server that failed over and is read-only for now says so as an internal error.
UNAVAILABLE = (OperationalError, InterfaceError, InternalError, psycopg.OperationalError)
RETRY_EVERY = 0.5  # seconds


def retry_while_unavailable(call: Callable[[], T], must_end: Callable[[], bool]) -> T:
    """Call until the database responds; return the result.

    Giving up would use up the task, and the Batch would lie until its id is published again.
    Raises the database's error once `must_end` returns true.
    """
    while True:
        try:
            return call()
        except UNAVAILABLE:
            connection.close()
            if must_end():
                raise
            logger.warning("the database is unavailable; trying again")
            time.sleep(RETRY_EVERY)


def is_pooled() -> bool:
    """Whether the threads of this process share a pool of connections."""
    return "pool" in settings.DATABASES["default"].get("OPTIONS", {})


def return_connection() -> None:
    """Return this thread's connection to the pool; do nothing without a pool.

    A slot that speaks SMTP needs no database connection, so a few serve many slots.
    """
    if is_pooled() and not connection.in_atomic_block:
        connection.close()
