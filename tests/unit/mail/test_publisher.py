"""The publisher with a folder as the broker; the integration tests have RabbitMQ."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import current_app
from kombu import Connection

from mail import tasks
from mail.relay.publisher import BrokerUnavailable, Publisher
from tests.harness.ports import free_port

LOOPBACK = ("127.0.0.1", 0)


def names(monkeypatch: pytest.MonkeyPatch, url: str, **options: object) -> None:
    """Let the Celery app name this broker."""
    monkeypatch.setattr(
        current_app, "connection_for_write", lambda **more: Connection(url, **options, **more)
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A broker in a folder of this test."""
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    options = {
        "data_folder_in": str(tmp_path / "queue"),
        "data_folder_out": str(tmp_path / "queue"),
        "control_folder": str(tmp_path / "control"),
    }
    names(monkeypatch, "filesystem://", transport_options=options)
    return tmp_path / "queue"


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher()
    yield publisher
    publisher.close()


def test_i10_a_published_task_is_its_name_and_one_id(folder: Path, publisher: Publisher):
    """I10: broker messages carry ids, never addresses, names or bodies."""
    publisher.publish(tasks.deliver_batch, 42, queue="mail.bulk")

    (file,) = folder.iterdir()
    message = json.loads(file.read_text())
    headers = message["headers"]
    assert headers["task"] == "mail.deliver_batch"
    assert headers["argsrepr"] == "(42,)"
    assert headers["kwargsrepr"] == "{}"
    assert (headers["eta"], headers["expires"]) == (None, None)


def test_each_queue_is_counted_for_itself(folder: Path, publisher: Publisher):
    for number in range(3):
        publisher.publish(tasks.deliver_batch, number, queue="mail.bulk")
    publisher.publish(tasks.deliver_batch, 9, queue="mail.transactional")

    ready = [publisher.ready("mail.bulk"), publisher.ready("mail.transactional")]

    assert ready == [3, 1]


def test_one_connection_serves_many_tasks(folder: Path, publisher: Publisher):
    publisher.publish(tasks.deliver_batch, 1, queue="mail.bulk")
    first = publisher.connection
    publisher.publish(tasks.deliver_batch, 2, queue="mail.bulk")

    assert publisher.connection is first


def test_after_trouble_the_connection_is_discarded(folder: Path, publisher: Publisher):
    publisher.publish(tasks.deliver_batch, 1, queue="mail.bulk")
    first = publisher.connection
    with pytest.raises(BrokerUnavailable):
        publisher.publish(tasks.deliver_batch, object(), queue="mail.bulk")  # type: ignore[arg-type]
    assert publisher.connection is None

    publisher.publish(tasks.deliver_batch, 2, queue="mail.bulk")

    assert publisher.connection is not first
    assert publisher.ready("mail.bulk") == 2


def test_a_broker_that_is_not_there_is_reported_as_one_error(monkeypatch, publisher: Publisher):
    url = f"amqp://guest:hunter2@127.0.0.1:{free_port()}//"
    names(monkeypatch, url)

    with pytest.raises(BrokerUnavailable) as trouble:
        publisher.publish(tasks.deliver_batch, 1, queue="mail.bulk")

    assert "hunter2" not in str(trouble.value)
    assert publisher.connection is None


def test_a_node_that_is_silent_does_not_keep_the_publisher_from_the_next(
    monkeypatch, publisher: Publisher
):
    """A frozen node accepts connections, stays silent, and may be the first URL."""
    monkeypatch.setattr("mail.relay.publisher.WAIT", 0.3)
    with socket.create_server(LOOPBACK) as frozen, socket.create_server(LOOPBACK) as alive:
        ports = [server.getsockname()[1] for server in (frozen, alive)]
        names(monkeypatch, ";".join(f"amqp://guest:guest@127.0.0.1:{port}//" for port in ports))
        alive.settimeout(10)

        with pytest.raises(BrokerUnavailable):
            publisher.publish(tasks.deliver_batch, 1, queue="mail.bulk")

        met, _ = alive.accept()
        with met:
            assert met.recv(4) == b"AMQP"


def test_closing_twice_is_closing_once(folder: Path, publisher: Publisher):
    publisher.publish(tasks.deliver_batch, 1, queue="mail.bulk")

    publisher.close()
    publisher.close()
