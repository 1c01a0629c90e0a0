"""The connections a worker keeps: one per Celery slot and server, open between Batches."""

import threading
from typing import Any

from django.conf import settings

from mail.models import Lane
from mail.transport.backend import BackendTransport
from mail.transport.base import Transport
from mail.transport.config import SmtpServer
from mail.transport.smtp import SmtpTransport

Config = dict[str, Any]
"""An entry of MAIL_TRANSPORTS."""

_kept = threading.local()


def transport_for(lane: Lane) -> Transport:
    """This slot's transport for a lane; lanes with equal entries in MAIL_TRANSPORTS share it."""
    wanted = settings.MAIL_TRANSPORTS[lane]
    transports: list[tuple[Config, Transport]] = _kept.__dict__.setdefault("transports", [])
    for config, transport in transports:
        if config == wanted:
            return transport
    transports.append((wanted, _new(lane, wanted)))
    return transports[-1][1]


def close_all() -> None:
    """Leave every server this slot is connected to."""
    for _, transport in _kept.__dict__.pop("transports", []):
        transport.close()


def _new(lane: Lane, config: Config) -> Transport:
    options = config.get("OPTIONS", {})
    if backend := config.get("BACKEND"):
        return BackendTransport(backend, alias=lane.value, options=options)
    return SmtpTransport(SmtpServer.from_options(**options))
