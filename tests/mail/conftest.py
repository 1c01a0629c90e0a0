"""Fixtures of the mail tests: a database that several sessions see, and servers to deliver to."""

from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from mail import delivery, marks, outcomes
from mail.models import Attempt, Batch, Broadcast, Delivery, Lane, Message, RelayLease, Transport
from mail.transport import kept
from mail.transport.server import SmtpServer as Server
from tests.mail.delivering import Script
from tests.servers.smtp import SmtpServer


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """pytest-django's fixture of this name, for tests of mail: rows are really committed.

    Theirs flushes every table of the shop, which takes longer than the test; this one empties
    the few that were written.
    """
    with django_db_blocker.unblock():
        yield
        marks.close()
        connection.close()
        for model in (Attempt, Delivery, Batch, Broadcast, Message, Transport, RelayLease):
            model.objects.all().delete()
        get_user_model().objects.all().delete()
        Transport.objects.bulk_create(Transport(lane=lane) for lane in Lane)
        RelayLease.objects.create(pk=1)


@pytest.fixture(autouse=True)
def no_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """No mail was lost or refused before, and no Batch measured."""
    monkeypatch.setattr(outcomes, "_measured_at", {})
    monkeypatch.setattr(delivery, "_losses", delivery.Losses())
    monkeypatch.setattr(delivery, "_refusals", delivery.Refusals())


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """The transport of both lanes: it takes every mail, unless told otherwise."""
    script = Script()
    monkeypatch.setattr(delivery, "transport_for", lambda lane: script)
    return script


@pytest.fixture
def mail_server(smtp: SmtpServer, settings) -> Iterator[SmtpServer]:
    """The scripted SMTP server, as the server of both lanes."""
    settings.MAIL_SERVERS = {lane: Server.parse(smtp.url, name="EMAIL_URL") for lane in Lane}
    yield smtp
    smtp.clear_rules()
    kept.close_all()
