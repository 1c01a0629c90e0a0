"""Recording a mail opens no socket: a request contacts neither broker nor SMTP server."""

import sys
import threading
from collections.abc import Iterator

import pytest
from django.core.mail import send_mail
from django.db import connection, transaction

from mail import outbox
from tests.harness import mailers
from tests.unit.mail.mails import NOTICE, RECEIPT, notice, receipt

WATCHED = {"socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname"}
_seen: list[tuple[str, object]] = []
_watched: int | None = None


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event in WATCHED and _watched == threading.get_ident():
        _seen.append((event, arguments[-1]))


sys.addaudithook(_hook)


@pytest.fixture
def sockets(db: None) -> Iterator[list[tuple[str, object]]]:
    """What Python's sockets did; psycopg speaks to the database through its own library."""
    global _watched
    connection.ensure_connection()
    _seen.clear()
    _watched = threading.get_ident()
    yield _seen
    _watched = None


def test_a_mail_opens_no_socket(sockets: list):
    with transaction.atomic():
        outbox.send(receipt(), kind=RECEIPT, key="payment:1:receipt")

    assert sockets == []


def test_a_broadcast_opens_no_socket(sockets: list):
    with transaction.atomic():
        outbox.broadcast(notice(), kind=NOTICE, audience="tests.users", params={})

    assert sockets == []


def test_send_mail_opens_no_socket(sockets: list, settings):
    mailers.set_default(settings, mailers.OUTBOX)

    assert send_mail("hello", "text", "shop@moa.example", ["kim@example.com"]) == 1
    assert sockets == []


@pytest.mark.parametrize("steer", [outbox.pause, outbox.resume, outbox.cancel])
def test_steering_opens_no_socket(steer, sockets: list):
    message = outbox.send(receipt(), kind=RECEIPT)

    steer(message)
    outbox.resend(message.deliveries.all(), include_uncertain=True)

    assert sockets == []


def test_the_watch_sees_sockets(sockets: list):
    """Django's own backend is noticed; otherwise the tests above would prove nothing."""
    backend = mailers.make(mailers.SMTP, host="127.0.0.1", port=1)

    with pytest.raises(ConnectionRefusedError):
        backend.send_messages([receipt()])

    assert sockets
