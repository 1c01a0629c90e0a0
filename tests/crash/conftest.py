"""Real processes that stop where a test says, on the test database, real RabbitMQ, real SMTP."""

import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from knox.models import AuthToken

from payment import services
from tests.crash.processes import Nursery, Stage
from tests.harness import ledger, shop
from tests.harness.ports import PATIENCE
from tests.harness.postgresql import PostgreSQL
from tests.harness.smtp import SmtpServer
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
    """The seeded bug this test runs with; none except in the negative controls."""
    return ""


@pytest.fixture
def stage(
    environ: dict[str, str], nursery: Nursery, smtp: SmtpServer, tmp_path: Path, bug: str
) -> Iterator[Stage]:
    """Starts and stops web, relay and workers; shows their output if the test fails.

    Whatever a test checks, its ledger is balanced at the end, as in a chaos run.
    """
    stage = Stage(environ | {"MAIL_UNCERTAIN_WAIT": "1", "CRASH_BUG": bug}, nursery, tmp_path)
    yield stage
    print(stage.discard())  # noqa: T201
    broken = [] if bug else ledger.violations(smtp)
    connection.close()
    assert broken == []


@pytest.fixture
def stage_on_own_database(own_database: PostgreSQL, stage: Stage) -> Stage:
    """A stage whose processes and test are on a server of their own."""
    stage.environ["DATABASE_URL"] = own_database.url(connection.settings_dict["NAME"])
    return stage


@pytest.fixture(scope="session")
def database_server(
    nursery: Nursery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PostgreSQL]:
    """A private PostgreSQL, which a test may crash if it restarts it."""
    server = PostgreSQL().start()
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE pristine")
    folder = tmp_path_factory.mktemp("migrate")
    told = {
        "DEBUG": "true",
        "DJANGO_SETTINGS_MODULE": "moa.settings",
        "MOA_VAR": str(folder),
        "DATABASE_URL": server.url("pristine"),
    }
    log = folder / "log"
    log.touch()
    child = nursery.fork(("manage.py", "migrate", "-v0"), os.environ | told, log)
    assert child.wait(PATIENCE) == 0, log.read_text()
    yield server
    server.discard()


@pytest.fixture
def own_database(
    environ: dict[str, str], database_server: PostgreSQL, tmp_path: Path
) -> Iterator[PostgreSQL]:
    """Processes and test alike are on a fresh database of that server."""
    if database_server.process is None:  # a test that failed left it so
        database_server.start()
    name = f"own{database_server.port}_{tmp_path.name}".lower().replace("-", "_")[:60]
    with psycopg.connect(database_server.url(), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE pristine')
    environ["DATABASE_URL"] = database_server.url(name)
    usual = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict |= {
        "HOST": "127.0.0.1",
        "PORT": database_server.port,
        "NAME": name,
        "USER": "postgres",
    }
    yield database_server
    connection.close()
    connection.settings_dict |= usual


@pytest.fixture
def confirm(transactional_db: None) -> Callable[[int], dict[str, Any]]:
    """Confirm a payment over HTTP, as the seller's system does; return the response."""
    product = shop.make_product()
    payment, _ = services.open_payment(
        product=product,
        buyer_address="buyer@example.com",
        buyer_name="홍길동",
        amount=product.price,
    )
    token = AuthToken.objects.create(shop.operator())[1]
    told = json.dumps({"payment_key": "sandbox_1", "amount": payment.amount}).encode()

    def call(port: int) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/payments/{payment.pk}/confirm/",
            data=told,
            headers={"Authorization": f"Token {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    return call
