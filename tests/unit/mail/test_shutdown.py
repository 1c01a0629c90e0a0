"""Shutdown: a worker that gets SIGTERM, and how its children learn of it."""

import multiprocessing
from collections.abc import Iterator

import pytest
from celery.signals import worker_process_shutdown, worker_shutting_down

from mail.models import Lane
from mail.transport.connections import Connections
from mail.worker import shutdown
from mail.worker.slot import SLOT
from tests.harness.ports import PATIENCE


@pytest.fixture(autouse=True)
def _at_work() -> Iterator[None]:
    yield
    shutdown._told_at.value = 0


def test_a_worker_at_work_is_not_stopping():
    assert not shutdown.is_stopping()


def test_a_worker_that_shuts_down_is_stopping():
    worker_shutting_down.send(sender=None, sig="SIGTERM", how="Warm", exitcode=0)

    assert shutdown.is_stopping()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_forked_before_learns_of_it():
    """Celery's prefork children get no signal at a warm shutdown."""
    fork = multiprocessing.get_context("fork")
    ready, told, answers = fork.Event(), fork.Event(), fork.Queue()

    def child() -> None:
        answers.put(shutdown.is_stopping())
        ready.set()
        told.wait(PATIENCE)
        answers.put(shutdown.is_stopping())

    process = fork.Process(target=child, daemon=True)
    process.start()
    assert ready.wait(PATIENCE)
    worker_shutting_down.send(sender=None)
    told.set()

    learned = [answers.get(timeout=PATIENCE), answers.get(timeout=PATIENCE)]

    process.join(PATIENCE)
    assert learned == [False, True]


def test_a_child_that_ends_closes_its_connections(settings, monkeypatch):
    dummy = {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    settings.MAIL_TRANSPORTS = dict.fromkeys(Lane, dummy)
    closed: list[object] = []
    connection = SLOT.connections.of(Lane.BULK)
    monkeypatch.setattr(connection, "close", lambda: closed.append(connection))
    monkeypatch.setattr(SLOT.sessions, "close", lambda: closed.append(SLOT.sessions))

    worker_process_shutdown.send(sender=None, pid=1, exitcode=0)

    assert closed == [connection, SLOT.sessions]
    assert SLOT.connections.of(Lane.BULK) is not connection
    SLOT.connections.close()


def test_lanes_with_one_server_share_its_connection(settings):
    one, two = settings.MAIL_TRANSPORTS.values()
    assert one == two

    connections = Connections()

    assert connections.of(Lane.BULK) is connections.of(Lane.TRANSACTIONAL)
