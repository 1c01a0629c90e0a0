"""Real processes: relay and workers, on the test database, a virtual host of their own, real SMTP."""

import os
import uuid
from collections.abc import Iterator

import pytest
from django.db import connection

from tests.harness.broker import Broker
from tests.harness.processes import Processes
from tests.harness.smtp import SmtpServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here need the servers, and a database that other processes see."""
    for item in items:
        if "tests/integration/" in item.nodeid:
            item.add_marker(pytest.mark.rabbitmq)
            item.add_marker(pytest.mark.django_db(transaction=True))


@pytest.fixture(scope="session")
def spare_vhosts() -> list[str]:
    """URLs of virtual hosts that no test has used."""
    return []


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Broker:
    """RabbitMQ without any of Moa's objects: the test's own virtual host, if possible.

    A test that also uses `rabbitmq`, to break it, gets one on that private node.
    """
    given = os.environ.get("TEST_BROKER_URL")
    if given and "rabbitmq" not in request.fixturenames:
        broker = Broker(given)
        broker.delete_all()
        return broker
    spare = request.getfixturevalue("spare_vhosts")
    if not spare:
        names = [f"test-{uuid.uuid4().hex[:8]}" for _ in range(20)]
        spare += request.getfixturevalue("rabbitmq").add_vhosts(*names)
    return Broker(spare.pop())


@pytest.fixture
def environ(transactional_db: None, broker: Broker, smtp: SmtpServer, tmp_path) -> dict[str, str]:
    """The environment of the processes, with short times so that tests need not wait."""
    database = connection.settings_dict
    user, password, host, port, name = (
        database[key] for key in ("USER", "PASSWORD", "HOST", "PORT", "NAME")
    )
    return {
        "DEBUG": "true",
        "DJANGO_SETTINGS_MODULE": "moa.settings",
        "MOA_VAR": str(tmp_path),
        "DATABASE_URL": f"postgres://{user}:{password}@{host}:{port}/{name}",
        "BROKER_URL": broker.url,
        "EMAIL_URL": smtp.url,
        "MAIL_LEASE": "2",
        "MAIL_REPUBLISH_AFTER": "1",
        "MAIL_UNCERTAIN_WAIT": "0",
    }


@pytest.fixture
def processes(environ: dict[str, str]) -> Iterator[Processes]:
    """Starts and stops relays and workers; shows their output if the test fails."""
    processes = Processes(environ)
    yield processes
    print(processes.discard())  # noqa: T201
    connection.close()
