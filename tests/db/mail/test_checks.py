"""System checks of the mail app: what causes each id, and that good settings cause none."""

from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.core.checks import registry
from django.db import connection, connections

from mail import checks
from mail.conf.transports import LANES, from_urls
from mail.content.mime import INSTALLED
from tests.harness import mailers

OUTBOX = "mail.backends.OutboxBackend"


def by_backend(path: str) -> dict[str, Any]:
    return {lane: {"BACKEND": path} for lane in LANES}


def by_smtp(**options: Any) -> dict[str, Any]:
    return {lane: {"OPTIONS": options} for lane in LANES}


@pytest.fixture(autouse=True)
def production(settings, monkeypatch):
    """Settings with which nothing is wrong; the test run itself has another EMAIL_BACKEND."""
    settings.DEBUG = False
    carried_by(monkeypatch, "amqp://guest:guest@broker.example:5672//")
    mailers.set_default(settings, OUTBOX)
    settings.MAIL_TRANSPORTS = from_urls(url="smtp://mx.example", bulk_url="", backend="")
    settings.MAIL_REDIRECT_TO = ""
    settings.DEFAULT_FROM_EMAIL = "모아 구독 <no-reply@shop.example>"
    settings.MAIL_LEASE = timedelta(seconds=8)


def carried_by(monkeypatch, url: str) -> None:
    """Let the Celery app name this broker."""
    monkeypatch.setitem(current_app.conf, "broker_url", url)


def found() -> list[str]:
    return [message.id for message in [*checks.check_settings(), *checks.check_redirection()]]


def test_settings_for_production_have_no_fault():
    assert found() == []


def test_the_embedded_default_has_no_fault(settings, monkeypatch):
    settings.DEBUG = True
    carried_by(monkeypatch, "filesystem:///var/broker")

    assert found() == []


def test_a_database_without_a_proven_claim_is_refused(monkeypatch):
    monkeypatch.setattr(connections["default"], "vendor", "mysql")

    assert found() == ["mail.E001"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("MAIL_TRANSPORTS", by_backend("anymail.backends.nowhere.EmailBackend"), "mail.E004"),
        ("MAIL_TRANSPORTS", by_backend("nonsense"), "mail.E004"),
        ("MAIL_TRANSPORTS", {"bulk": {"OPTIONS": {"host": "mx.example"}}}, "mail.E009"),
        ("MAIL_TRANSPORTS", by_smtp(host="mx.example", starttls=True), "mail.E009"),
        ("MAIL_TRANSPORTS", by_smtp(), "mail.E009"),
        ("MAIL_TRANSPORTS", {lane: {"HOST": "mx.example"} for lane in LANES}, "mail.E009"),
        ("MAIL_REDIRECT_TO", "staging", "mail.E006"),
        ("DEFAULT_FROM_EMAIL", "모아 구독", "mail.E007"),
        ("DEFAULT_FROM_EMAIL", "webmaster@localhost", "mail.E007"),
        ("MAIL_REDIRECT_TO", "staging@shop.example", "mail.W002"),
        ("MAIL_LEASE", timedelta(seconds=2), "mail.W003"),
        ("MAIL_LEASE", "soon", "mail.E009"),
        ("MAIL_WINDOW", 0, "mail.E009"),
        ("MAIL_RATE", "fast", "mail.E009"),
        ("MAIL_TRANSPORTS", "http://smtp.example", "mail.E009"),
    ],
)
def test_a_setting_that_would_lose_or_misdirect_mail_is_reported(settings, name, value, expected):
    setattr(settings, name, value)

    assert expected in found()


if not mailers.HAS_MAILERS:

    def test_a_certificate_that_workers_would_not_show_is_reported(settings):
        settings.EMAIL_SSL_CERTFILE = "/etc/ssl/client.pem"

        assert found() == ["mail.W004"]


def test_a_broker_of_files_in_production_is_refused(monkeypatch):
    carried_by(monkeypatch, "filesystem:///var/broker")

    assert found() == ["mail.E002"]


def test_a_celery_app_without_queues_for_mail_is_refused(monkeypatch):
    monkeypatch.setitem(current_app.conf, "task_queues", None)

    assert found() == ["mail.E010"]


def test_a_password_is_not_shown(settings):
    settings.MAIL_TRANSPORTS = {"transactional": "smtp://user:hunter2@host:99999"}

    (fault,) = checks.check_settings()

    assert fault.id == "mail.E009"
    assert "hunter2" not in f"{fault.msg} {fault.hint}"


@pytest.mark.parametrize(("reads_back", "expected"), [(True, []), (False, ["mail.W005"])])
def test_a_python_that_drops_the_quotes_of_names_is_reported(monkeypatch, reads_back, expected):
    monkeypatch.setattr(type(INSTALLED), "reads_back", lambda *_: reads_back)

    assert [message.id for message in checks.check_names()] == expected


def test_a_default_backend_that_is_not_the_outbox_is_refused(settings):
    mailers.set_default(settings, mailers.SMTP)

    assert found() == ["mail.E003"]


if mailers.HAS_MAILERS:

    def test_mailers_without_a_default_are_refused(settings):
        settings.MAILERS = {"direct": {"BACKEND": OUTBOX}}

        assert found() == ["mail.E003"]


def test_a_backend_that_records_mails_again_is_refused(settings):
    settings.MAIL_TRANSPORTS = by_backend(OUTBOX)

    assert found() == ["mail.E005"]


def test_a_backend_that_sends_is_accepted(settings):
    settings.MAIL_TRANSPORTS = by_backend("django.core.mail.backends.console.EmailBackend")

    assert found() == []


def test_every_fault_is_reported_with_a_hint(settings, monkeypatch):
    carried_by(monkeypatch, "filesystem:///var/broker")
    settings.MAIL_REDIRECT_TO = "staging"
    settings.DEFAULT_FROM_EMAIL = ""

    messages = checks.check_settings()

    assert [message.id for message in messages] == ["mail.E002", "mail.E006", "mail.E007"]
    assert all(message.hint.startswith("Set ") for message in messages)


@pytest.mark.django_db
def test_a_database_that_is_not_named_is_not_asked(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert checks.check_durability(databases=None) == []


@pytest.mark.postgresql
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fsync", "full_page_writes", "named"),
    [("off", "on", "fsync"), ("on", "off", "full_page_writes"), ("on", "on", "")],
)
def test_a_postgresql_that_forgets_at_a_power_cut_is_reported(fsync, full_page_writes, named):
    with connection.cursor() as cursor:  # PostgreSQL looks among temporary views first
        cursor.execute(
            "CREATE TEMPORARY VIEW pg_settings AS SELECT * FROM (VALUES ('fsync', %s), "
            "('full_page_writes', %s)) AS settings (name, setting)",
            [fsync, full_page_writes],
        )

    messages = checks.check_durability(databases=["default"])

    assert [message.id for message in messages] == (["mail.W001"] if named else [])
    assert all(f"with {named} off" in message.msg for message in messages)


def test_the_checks_are_registered():
    names = {
        check.__name__ for check in registry.registry.get_checks(include_deployment_checks=True)
    }

    assert {"check_settings", "check_redirection", "check_durability"} <= names
