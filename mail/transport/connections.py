"""The connections a worker keeps: one per Celery slot and server, open between Batches."""

import threading

from mail.conf import settings
from mail.conf.smtp_server import SmtpServer
from mail.models import Lane
from mail.transport.backend import BackendTransport
from mail.transport.base import Transport
from mail.transport.smtp import SmtpTransport

_kept = threading.local()


def transport_for(lane: Lane) -> Transport:
    """This slot's transport for a lane; lanes that name one server share it."""
    destination = settings.MAIL_BACKEND or settings.MAIL_SERVERS[lane]
    transports: dict[str | SmtpServer, Transport] = _kept.__dict__.setdefault("transports", {})
    if destination not in transports:
        transports[destination] = _new(destination)
    return transports[destination]


def close_all() -> None:
    """Leave every server this slot is connected to."""
    for transport in _kept.__dict__.pop("transports", {}).values():
        transport.close()


def _new(destination: str | SmtpServer) -> Transport:
    if isinstance(destination, str):
        return BackendTransport(destination)
    return SmtpTransport(destination)
