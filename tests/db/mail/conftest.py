"""Fixtures of the mail tests: a database that several sessions see, and servers to deliver to."""

from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from mail.models import Attempt, Batch, Broadcast, Delivery, Lane, Message, RelayLease, Transport
from mail.transport import connections
from mail.transport.config import transports
from mail.worker import batch_run, checkpoint, results
from tests.db.mail.delivering import Script
from tests.harness.smtp import SmtpServer


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """pytest-django's fixture of this name, for tests of mail: rows are really committed.

    Theirs flushes every table of the shop, which takes longer than the test; this one empties
    the few that were written.
    """
    with django_db_blocker.unblock():
        yield
        checkpoint.close()
        connection.close()
        for model in (Attempt, Delivery, Batch, Broadcast, Message, Transport, RelayLease):
            model.objects.all().delete()
        get_user_model().objects.all().delete()
        Transport.objects.bulk_create(Transport(lane=lane) for lane in Lane)
        RelayLease.objects.create(pk=1)


@pytest.fixture(autouse=True)
def no_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """No mail was lost or refused before, and no Batch measured."""
    monkeypatch.setattr(results, "_measured_at", {})
    monkeypatch.setattr(batch_run, "_losses", batch_run.Losses())
    monkeypatch.setattr(batch_run, "_refusals", batch_run.Refusals())


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """The transport of both lanes: it takes every mail, unless told otherwise."""
    script = Script()
    monkeypatch.setattr(batch_run, "transport_for", lambda lane: script)
    return script


@pytest.fixture
def mail_server(smtp: SmtpServer, settings) -> Iterator[SmtpServer]:
    """The scripted SMTP server, as the server of both lanes."""
    settings.MAIL_TRANSPORTS = transports(url=smtp.url, bulk_url="", backend="")
    yield smtp
    smtp.clear_rules()
    connections.close_all()
