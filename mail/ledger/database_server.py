"""The database server: whether it crashed since a moment, so that checkpoints may be missing."""

from typing import Any
from weakref import WeakKeyDictionary

from django.db import connection

STARTED = """
    SELECT extract(epoch FROM pg_postmaster_start_time()) || ' ' || extract(epoch FROM stats_reset)
      FROM pg_stat_bgwriter
"""
_started: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
"""By database session. No session outlives a crash, so each asks once."""


def server_started() -> str:
    """A text that changes whenever the database server crashes; empty for SQLite.

    The start of the server alone is not enough. When one of its processes is killed, for example
    by the kernel's OOM killer, PostgreSQL recovers from its log without a new start; it resets its
    statistics then, as after every crash.
    """
    if connection.vendor != "postgresql":
        return ""
    connection.ensure_connection()
    session = connection.connection
    if session not in _started:
        with connection.cursor() as cursor:
            cursor.execute(STARTED)
            _started[session] = str(cursor.fetchone()[0])
    return _started[session]
