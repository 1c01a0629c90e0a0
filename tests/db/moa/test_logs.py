"""Error mails go to ADMINS directly, bypassing the outbox."""

import logging
from typing import Any

import pytest
from django.core import mail as django_mail
from django.utils.log import AdminEmailHandler

from mail.models import Message
from moa import settings as of_the_shop
from tests.harness import mailers
from tests.harness.smtp import SmtpServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def handler(settings) -> AdminEmailHandler:
    """The handler as LOGGING describes it, for one administrator."""
    settings.ADMINS = mailers.admins("ops@moa.example")
    described: dict[str, Any] = of_the_shop.LOGGING["handlers"]["mail_admins"]
    return AdminEmailHandler(
        **{name: value for name, value in described.items() if name not in ("class", "level")}
    )


def point_at(settings, port: int) -> None:
    """Have the direct mailer of the shop use a server on this machine."""
    if mailers.HAS_MAILERS:
        direct = of_the_shop.MAILERS["direct"]
        options = direct["OPTIONS"] | {"host": "127.0.0.1", "port": port}
        settings.MAILERS = settings.MAILERS | {"direct": direct | {"OPTIONS": options}}
    else:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port


def error() -> logging.LogRecord:
    return logging.LogRecord("django.request", logging.ERROR, __file__, 1, "broken", (), None)


def test_an_error_mail_leaves_at_once_and_leaves_no_row(handler, settings, smtp: SmtpServer):
    point_at(settings, smtp.port)

    handler.handle(error())

    (taken,) = smtp.wait_for(1)
    assert taken.recipient == "ops@moa.example"
    assert not Message.objects.exists()
    assert not django_mail.outbox


def test_an_error_is_not_made_worse_by_a_server_that_is_unavailable(handler, settings):
    point_at(settings, 1)

    handler.handle(error())

    assert not Message.objects.exists()
