"""While the database is unavailable requests get a 503, and a 500 for faults of Moa."""

import logging
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import InterfaceError, InternalError, OperationalError, connection
from django.test import Client
from knox.models import AuthToken

from moa import outage


def read_only() -> InternalError:
    error = InternalError("cannot execute INSERT in a read-only transaction")
    error.__cause__ = psycopg.errors.ReadOnlySqlTransaction()
    return error


AWAY = [OperationalError("connection refused\nby db"), InterfaceError("closed"), read_only()]


@pytest.fixture
def client(db: None) -> Client:
    """One who is logged in, for browsers and for programs."""
    user = User.objects.create_superuser("root")
    token = AuthToken.objects.create(user)[1]
    client = Client(raise_request_exception=False, headers={"authorization": f"Token {token}"})
    client.force_login(user)
    return client


def ask(client: Client, path: str, error: Exception) -> Any:
    def fail(*_: Any) -> None:
        raise error

    with connection.execute_wrapper(fail):
        return client.get(path)


@pytest.mark.parametrize("error", AWAY, ids=repr)
def test_the_api_answers_with_a_problem(client: Client, error: Exception):
    response = ask(client, "/api/messages/", error)

    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert response["Content-Type"] == "application/problem+json"
    assert response["Retry-After"] == str(outage.RETRY_AFTER)


@pytest.mark.parametrize("error", AWAY, ids=repr)
def test_a_browser_gets_a_page(client: Client, error: Exception):
    response = ask(client, "/admin/", error)

    assert response.status_code == 503
    assert "일시적으로 이용할 수 없습니다" in response.content.decode()
    assert response["Retry-After"] == str(outage.RETRY_AFTER)


def test_an_outage_is_one_warning_without_a_traceback(client: Client, caplog: Any):
    ask(client, "/api/messages/", AWAY[0])

    (line,) = [record for record in caplog.records if record.name == "django.request"]
    assert (line.levelno, line.exc_info) == (logging.WARNING, None)
    assert line.getMessage() == "The database is unavailable: /api/messages/: connection refused"


@pytest.mark.parametrize("path", ["/api/messages/", "/admin/"])
@pytest.mark.parametrize("error", [RuntimeError(), InternalError("corrupt")], ids=repr)
def test_a_fault_of_ours_stays_one(client: Client, path: str, error: Exception, caplog: Any):
    response = ask(client, path, error)

    assert response.status_code == 500
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.postgresql
@pytest.mark.django_db
def test_a_database_that_vanishes_without_a_word_is_given_up():
    """By the kernel: a cut network is silent, and a query would wait for a quarter of an hour."""
    connection.ensure_connection()
    in_force = connection.connection.info.get_parameters()

    unanswered = int(in_force["tcp_user_timeout"]) / 1000
    tries = int(in_force["keepalives_count"]) * int(in_force["keepalives_interval"])
    assert unanswered <= 10
    assert int(in_force["keepalives_idle"]) + tries <= 25
