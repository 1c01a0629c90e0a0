"""Fixtures of the mail tests: a database that several sessions see, and servers to deliver to."""

from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from mail.conf.transports import from_urls
from mail.models import Attempt, Batch, Broadcast, Delivery, Lane, Message, RelayLease, Transport
from mail.worker.slot import SLOT, Pace
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
        SLOT.close()
        connection.close()
        for model in (Attempt, Delivery, Batch, Broadcast, Message, Transport, RelayLease):
            model.objects.all().delete()
        get_user_model().objects.all().delete()
        Transport.objects.bulk_create(Transport(lane=lane) for lane in Lane)
        RelayLease.objects.create(pk=1)


@pytest.fixture(autouse=True)
def fresh_slot() -> Iterator[None]:
    """The slot of this thread has sent nothing before, and leaves no connection open."""
    SLOT.__init__()  # type: ignore[misc]
    SLOT.pace = Pace()
    yield
    SLOT.close()


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """The connection of both lanes: it accepts every mail, unless told otherwise."""
    script = Script()
    monkeypatch.setattr(SLOT.connections, "of", lambda lane: script)
    return script


@pytest.fixture
def mail_server(smtp: SmtpServer, settings) -> Iterator[SmtpServer]:
    """The scripted SMTP server, as the server of both lanes."""
    settings.MAIL_TRANSPORTS = from_urls(url=smtp.url, bulk_url="", backend="")
    yield smtp
    smtp.clear_rules()
