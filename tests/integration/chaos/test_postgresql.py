"""PostgreSQL's behaviour in a crash, on which the rescue relies."""

import os
import signal

import psycopg
import pytest

from mail.ledger.database_server import STARTED
from tests.harness.ports import wait_until
from tests.harness.postgresql import PostgreSQL

pytestmark = pytest.mark.postgresql


def test_i4_a_crash_is_seen_although_the_postmaster_lived_on():
    """I4: the OOM killer ends one process; checkpoints that had not reached the disk are lost."""
    server = PostgreSQL().start()
    try:
        before = seen(server)
        session = psycopg.connect(server.url())

        os.kill(session.info.backend_pid, signal.SIGKILL)

        wait_until(lambda: seen(server) not in ("", before), what="another answer")
        session.close()
    finally:
        server.discard()


def seen(server: PostgreSQL) -> str:
    """What a claim would keep; nothing while the server recovers."""
    try:
        with psycopg.connect(server.url()) as session:
            return str(session.execute(STARTED).fetchone()[0])
    except psycopg.OperationalError:
        return ""
