"""The drop-in EMAIL_BACKEND: what Django sends becomes a recorded mail."""

import socket

import pytest
from django.core.mail import (
    EmailMessage,
    mail_admins,
    send_mail,
    send_mass_mail,
)
from django.db import OperationalError, connection, transaction
from pytest_django import Settings

from mail import kinds
from mail.backends import sending_as
from mail.content.builder import InvalidMail
from mail.models import Delivery, Message
from tests.harness import mailers

SILENTLY = pytest.mark.filterwarnings("ignore:The 'fail_silently' argument is deprecated")


@pytest.fixture(autouse=True)
def outbox_backend(settings: Settings) -> None:
    mailers.set_default(settings, mailers.OUTBOX)


@pytest.mark.django_db
def test_send_mail_records_a_message_and_a_delivery_per_recipient():
    sent = send_mail("Hello", "words", "shop@moa.example", ["a@example.com", "b@example.com"])

    message = Message.objects.get()
    assert sent == 1
    assert (message.kind, message.subject, message.queued) == (kinds.DJANGO.name, "Hello", 2)
    assert {row.address for row in message.deliveries.all()} == {"a@example.com", "b@example.com"}


@pytest.mark.django_db
def test_each_mail_of_a_mass_mail_is_counted():
    mails = [("One", "words", None, ["a@example.com"]), ("Two", "words", None, ["b@example.com"])]

    assert send_mass_mail(mails) == 2
    assert Message.objects.count() == 2


@pytest.mark.django_db
def test_a_mail_without_recipients_is_not_recorded_and_not_counted():
    backend = mailers.make(mailers.OUTBOX)

    sent = backend.send_messages([EmailMessage("Hello", "words", None, [])])

    assert sent == 0
    assert not Message.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("subject", "to"),
    [("two\nlines", "a@example.com"), ("Hello", "a@example.com\nBcc: b@example.com")],
)
def test_a_newline_in_a_header_raises_what_django_raises(subject: str, to: str):
    with pytest.raises(ValueError, match=r"newlines|linefeed"):
        send_mail(subject, "words", "shop@moa.example", [to])

    assert not Message.objects.exists()


@SILENTLY
@pytest.mark.django_db
@pytest.mark.parametrize("address", ["nobody", "a@@example.com", "a b@example.com"])
def test_a_malformed_address_raises_value_error_even_silently(address: str):
    with pytest.raises(ValueError, match=r"address|@"):
        send_mail("Hello", "words", "shop@moa.example", [address], fail_silently=True)

    assert not Message.objects.exists()


@pytest.mark.django_db
def test_what_django_would_take_and_we_refuse_is_an_invalid_mail():
    with pytest.raises(InvalidMail, match="root@localhost"):
        send_mail("Hello", "words", "shop@moa.example", ["root@localhost"])


@SILENTLY
@pytest.mark.django_db
def test_a_database_error_is_never_swallowed():
    def fail(*_):
        raise OperationalError("the database is unavailable")

    with connection.execute_wrapper(fail), pytest.raises(OperationalError):
        send_mail("Hello", "words", None, ["a@example.com"], fail_silently=True)


@pytest.mark.django_db
def test_i1_a_mail_of_a_rolled_back_transaction_never_was():
    with transaction.atomic():
        send_mail("Hello", "words", None, ["a@example.com"])
        transaction.set_rollback(True)

    assert not Message.objects.exists()
    assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_a_mail_commits_by_itself():
    send_mail("Hello", "words", None, ["a@example.com"])
    connection.close()

    assert Message.objects.get().queued == 1


@pytest.mark.django_db
def test_no_socket_is_opened(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)

    assert send_mail("Hello", "words", None, ["a@example.com"]) == 1


@pytest.mark.django_db
def test_a_block_gives_its_mails_a_kind_and_the_next_ones_keep_theirs():
    with sending_as(kinds.SECRET):
        send_mail("In", "words", None, ["a@example.com"])
    send_mail("Out", "words", None, ["a@example.com"])

    kind_of = dict(Message.objects.values_list("subject", "kind"))
    assert kind_of == {"In": kinds.SECRET.name, "Out": kinds.DJANGO.name}


@pytest.mark.django_db
def test_mail_admins_goes_the_same_way(settings: Settings):
    settings.ADMINS = mailers.admins("ops@moa.example")

    mail_admins("Trouble", "words")

    assert Delivery.objects.get().address == "ops@moa.example"
