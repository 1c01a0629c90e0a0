"""Stopping: a worker told to end, and what its children learn of it."""

import multiprocessing
from collections.abc import Iterator

import pytest
from celery.signals import worker_process_shutdown, worker_shutting_down

from mail.models import Lane
from mail.transport import connections
from mail.worker import checkpoint, shutdown
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


def test_a_child_that_ends_leaves_its_servers(settings, monkeypatch):
    settings.MAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    closed: list[object] = []
    transport = connections.transport_for(Lane.BULK)
    monkeypatch.setattr(transport, "close", lambda: closed.append(transport))
    monkeypatch.setattr(checkpoint, "close", lambda: closed.append(checkpoint))

    worker_process_shutdown.send(sender=None, pid=1, exitcode=0)

    assert closed == [transport, checkpoint]
    assert connections.transport_for(Lane.BULK) is not transport
    connections.close_all()


def test_lanes_with_one_server_share_its_connection(settings):
    one, two = settings.MAIL_SERVERS.values()
    assert one == two

    shared = connections.transport_for(Lane.BULK) is connections.transport_for(Lane.TRANSACTIONAL)

    connections.close_all()
    assert shared
