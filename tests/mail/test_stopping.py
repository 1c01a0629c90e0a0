"""Stopping: a worker told to end, and what its children learn of it."""

import multiprocessing
from collections.abc import Iterator

import pytest
from celery.signals import worker_process_shutdown, worker_shutting_down

from mail import marks, stopping
from mail.models import Lane
from mail.transport import kept


@pytest.fixture(autouse=True)
def _at_work() -> Iterator[None]:
    yield
    stopping._told_at.value = 0


def test_a_worker_at_work_is_not_stopping():
    assert not stopping.is_stopping()


def test_a_worker_that_shuts_down_is_stopping():
    worker_shutting_down.send(sender=None, sig="SIGTERM", how="Warm", exitcode=0)

    assert stopping.is_stopping()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_forked_before_learns_of_it():
    """Celery's prefork children get no signal at a warm shutdown."""
    fork = multiprocessing.get_context("fork")
    ready, told, answers = fork.Event(), fork.Event(), fork.Queue()

    def child() -> None:
        answers.put(stopping.is_stopping())
        ready.set()
        told.wait(10)
        answers.put(stopping.is_stopping())

    process = fork.Process(target=child, daemon=True)
    process.start()
    assert ready.wait(10)
    worker_shutting_down.send(sender=None)
    told.set()

    learned = [answers.get(timeout=10), answers.get(timeout=10)]

    process.join(10)
    assert learned == [False, True]


def test_a_child_that_ends_leaves_its_servers(settings, monkeypatch):
    settings.MAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    closed: list[object] = []
    transport = kept.transport_for(Lane.BULK)
    monkeypatch.setattr(transport, "close", lambda: closed.append(transport))
    monkeypatch.setattr(marks, "close", lambda: closed.append(marks))

    worker_process_shutdown.send(sender=None, pid=1, exitcode=0)

    assert closed == [transport, marks]
    assert kept.transport_for(Lane.BULK) is not transport
    kept.close_all()


def test_lanes_with_one_server_share_its_connection(settings):
    one, two = settings.MAIL_SERVERS.values()
    assert one == two

    shared = kept.transport_for(Lane.BULK) is kept.transport_for(Lane.TRANSACTIONAL)

    kept.close_all()
    assert shared
