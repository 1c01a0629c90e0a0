"""Runs one cell of the SMTP grid: real delivery code, a real server, sockets, a database.

No part of Moa is replaced. Only the patience with a silent server is shortened, and the minutes
for which a mail or a lane waits are skipped.
"""

import os
import ssl
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

from django.core.mail import EmailMessage
from django.db.models.functions import Now
from django.test.utils import override_settings

from chaos.cells import HOLDS, Cell, Stands
from mail import outbox
from mail.conf.smtp_server import SmtpServer as Server
from mail.kinds import Kind
from mail.models import Attempt, Batch, Delivery, Lane, Transport
from mail.relay import dispatch
from mail.transport import session, wire
from mail.transport import smtp as mail_smtp
from mail.transport.replies import Phase
from mail.worker import batch_run
from mail.worker.slot import SLOT
from tests import harness
from tests.harness.smtp import SmtpServer

PEM = Path(harness.__file__).parent / "tls" / "localhost.pem"
LOGIN = {"user": "moa", "password": "secret"}
BEFORE_THE_FIRST_MAIL = ("connect", "ehlo", "starttls", "auth")
OF_A_RECIPIENT = ("rcpt", "data", "dot")
SHORT = 0.5  # seconds of patience where a server never answers
SOON = timedelta(seconds=30)


def try_cell(cell: Cell, kind: Kind, *, pipelining: bool = True) -> tuple[Stands, Stands]:
    """Offer two mails to a server that misbehaves once; return the outcome at once and at the end.

    `kind` is one that holds when uncertain. Every lane is free afterwards.
    """
    with _server(cell, pipelining=pipelining) as server:
        if cell.kept:
            _send(kind, "before")
            _deliver(kind)
        if cell.second:
            other, target = _send(kind, "other"), _send(kind, "target")
        else:
            target, other = _send(kind, "target"), _send(kind, "other")
        _misbehave(server, cell, target.address)
        with _short_of_time(cell):
            _deliver(kind)
            if cell.phase == "quit":
                SLOT.connections.close()
        first = _how_it_stands(server, target, other)
        server.clear_rules()
        _let_time_pass()
        _deliver(kind)
        return first, _how_it_stands(server, target, other)


@contextmanager
def _server(cell: Cell, *, pipelining: bool) -> Iterator[SmtpServer]:
    """A server for one cell, as the server of both lanes."""
    with_tls, with_login = cell.phase == "starttls", cell.phase == "auth"
    tls = None
    if with_tls:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(PEM)
    extensions = ["8BITMIME", "SIZE 20000000", *(["PIPELINING"] if pipelining else [])]
    users = {LOGIN["user"]: LOGIN["password"]} if with_login else None
    with SmtpServer(extensions=extensions, tls=tls, users=users) as server:
        place = Server(
            host="localhost" if with_tls else "127.0.0.1",
            port=server.port,
            starttls=with_tls,
            user=LOGIN["user"] if with_login else "",
            password=LOGIN["password"] if with_login else "",
        )
        with (
            override_settings(MAIL_TRANSPORTS=dict.fromkeys(Lane, place)),
            _trusted(),
        ):
            try:
                yield server
            finally:
                server.clear_rules()
                SLOT.connections.close()


def _trusted() -> AbstractContextManager[object]:
    return patch.dict(os.environ, {"SSL_CERT_FILE": str(PEM)})


def _misbehave(server: SmtpServer, cell: Cell, address: str) -> None:
    if cell.phase == "rset":
        server.on("rcpt", address=address, reply="550 5.1.1 no")
    at = "target@*" if cell.phase == "mail" else address if cell.phase in OF_A_RECIPIENT else "*"
    server.on(cell.phase, **{"times": 1, "address": at, **cell.what})


@contextmanager
def _short_of_time(cell: Cell) -> Iterator[None]:
    """Shorten the patience with a server that stays silent."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(wire, "WAKE", 0.05))
        if cell.what.get("hold") and cell.phase in BEFORE_THE_FIRST_MAIL:
            stack.enter_context(patch.object(session, "CONNECT_PATIENCE", SHORT))
        elif cell.what.get("hold") and cell.phase != "quit":
            phase = Phase.MAIL if cell.phase == "rset" else Phase(cell.phase)
            stack.enter_context(patch.dict(mail_smtp.PATIENCE, {phase: SHORT}))
        yield


def _send(kind: Kind, name: str) -> Delivery:
    address = f"{name}-{uuid.uuid4().hex[:12]}@example.com"
    sender = f"{name}@moa.example"
    mail = EmailMessage(subject="쪽지", body="안녕하세요.\n", from_email=sender, to=[address])
    return outbox.send(mail, kind=kind).deliveries.get()


def _deliver(kind: Kind) -> None:
    """Bind what is due, as the relay does, and deliver all open Batches, as a worker does."""
    dispatch.bind(kind.lane, 500)
    for batch in Batch.objects.filter(lane=kind.lane, token=None, closed_at=None):
        batch_run.deliver(batch.pk, is_stopping=lambda: False)


def _how_it_stands(server: SmtpServer, target: Delivery, other: Delivery) -> Stands:
    target.refresh_from_db()
    other.refresh_from_db()
    waits = Delivery.objects.filter(pk=target.pk, state="queued", due_at__gt=Now() + SOON)
    lane = Transport.objects.filter(lane=target.lane, held_until__gt=Now())
    left = lane.annotate(now=Now()).values_list("held_until", "now").first()
    seconds = (left[0] - left[1]).total_seconds() if left and left[0] else 0.0
    scopes = Attempt.objects.filter(delivery=target).order_by("pk").values_list("scope", flat=True)
    return Stands(
        state="deferred" if waits.exists() else target.state,
        copies=server.recipients()[target.address],
        attempts=target.attempts,
        scope=", ".join(scopes),
        held=next((one for one in HOLDS if seconds <= one), round(seconds)),
        other=other.state,
    )


def _let_time_pass() -> None:
    Transport.objects.update(held_until=None, holds_in_a_row=0, reason="")
    waiting = Delivery.objects.filter(state="queued", batch=None, due_at__gt=Now())
    waiting.update(due_at=Now())
