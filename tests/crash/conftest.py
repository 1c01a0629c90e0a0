"""Real processes that stop where a test says, on the test database, real RabbitMQ, real SMTP."""

from collections.abc import Iterator

import pytest
from django.db import connection

from tests.crash.processes import Nursery, Stage
from tests.integration.conftest import broker, environ, spare_vhosts

__all__ = ["broker", "environ", "spare_vhosts"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here need the servers, and a database that other processes see."""
    for item in items:
        if "tests/crash/" in item.nodeid and "alone" not in item.keywords:
            item.add_marker(pytest.mark.rabbitmq)
            item.add_marker(pytest.mark.django_db(transaction=True))


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def bug() -> str:
    """The seeded bug this test runs with: none, but for the negative controls."""
    return ""


@pytest.fixture
def stage(environ: dict[str, str], nursery: Nursery, tmp_path, bug: str) -> Iterator[Stage]:
    """Starts web, relay and workers, and ends them; shows what they said when the test fails."""
    stage = Stage(environ | {"MAIL_UNCERTAIN_WAIT": "1", "CRASH_BUG": bug}, nursery, tmp_path)
    yield stage
    print(stage.discard())  # noqa: T201
    connection.close()
