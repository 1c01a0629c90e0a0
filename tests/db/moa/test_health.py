"""/livez and /readyz"""

import pytest
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings


def test_livez_asks_nobody(client: Client):
    """Without the database mark, a query would fail the test."""
    response = client.get("/livez")

    assert (response.status_code, response.content) == (200, b"alive\n")


@pytest.mark.django_db
def test_readyz_needs_one_query(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
):
    with django_assert_max_num_queries(2):
        response = client.get("/readyz")

    assert (response.status_code, response.content) == (200, b"ready\n")


@pytest.mark.django_db
def test_a_database_that_does_not_answer_is_not_ready(client: Client):
    def fail(*_):
        raise OperationalError("connection refused")

    with connection.execute_wrapper(fail):
        response = client.get("/readyz")

    assert response.status_code == 503
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "database_unavailable"


@pytest.mark.django_db
def test_a_migration_that_is_not_applied_is_not_ready(client: Client):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'mail' AND name LIKE '0001%'")
        cursor.execute("UPDATE django_migrations SET name = 'x' WHERE app = 'mail'")

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["code"] == "migrations_missing"
    assert "mail.0" in response.json()["detail"]


@pytest.mark.django_db
def test_a_dead_broker_and_smtp_server_do_not_matter(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_):
        raise ConnectionRefusedError

    monkeypatch.setattr("socket.socket.connect", refuse)
    settings.CELERY_BROKER_URL = "amqp://nobody@127.0.0.1:1//"

    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_they_are_asked_with_get_and_never_cached_or_redirected(
    client: Client, settings: Settings, path: str
):
    settings.SECURE_SSL_REDIRECT = True

    assert client.post(path).status_code == 405
    assert client.get(path).status_code == 200
    assert "no-store" in client.get(path)["Cache-Control"]
