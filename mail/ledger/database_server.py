"""The database server: whether it has crashed, so that checkpoints may be missing."""

from typing import Any
from weakref import WeakKeyDictionary

from django.db import connection

STARTED = """
    SELECT extract(epoch FROM pg_postmaster_start_time()) || ' ' || extract(epoch FROM stats_reset)
      FROM pg_stat_bgwriter
"""
_started: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
"""By database session. No session outlives a crash, so each is asked once."""


def server_started() -> str:
    """A text that changes whenever the database server crashes; empty for SQLite.

    The start of the server alone is not enough. When one of its processes is killed, for example
    by the kernel's OOM killer, PostgreSQL recovers from its WAL without a new start; it then
    resets its statistics, as after every crash.
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
