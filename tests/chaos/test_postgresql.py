"""What PostgreSQL itself does when it crashes, on which the rescue relies."""

import os
import signal

import psycopg
import pytest

from mail.claims import CRASHES_SEEN
from tests.servers.ports import wait_until
from tests.servers.postgresql import PostgreSQL

pytestmark = pytest.mark.postgresql


def test_i4_a_crash_is_seen_although_the_postmaster_lived_on():
    """I4: the OOM killer takes one process; marks that had not reached the disk are gone."""
    server = PostgreSQL().start()
    try:
        before = seen(server)
        with psycopg.connect(server.url()) as session:
            os.kill(session.info.backend_pid, signal.SIGKILL)
            wait_until(lambda: answers(server) and seen(server) != before, what="another answer")
    finally:
        server.discard()


def answers(server: PostgreSQL) -> bool:
    try:
        psycopg.connect(server.url()).close()
    except psycopg.OperationalError:
        return False
    return True


def seen(server: PostgreSQL) -> str:
    with psycopg.connect(server.url()) as session:
        return str(session.execute(CRASHES_SEEN).fetchone()[0])
