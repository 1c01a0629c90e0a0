"""MAIL_SERVERS: the SMTP server of each lane, as Moa or as Django writes it."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from mail.conf.setting import Setting
from mail.conf.smtp_server import SmtpServer

LANES = ("transactional", "bulk")


class Servers(Setting[Mapping[str, SmtpServer]]):
    """One URL for both lanes, or a URL for each: `{"transactional": "smtp://…", "bulk": "…"}`."""

    def __init__(self) -> None:
        super().__init__(read)

    def __get__(self, instance: object, owner: type | None = None) -> Mapping[str, SmtpServer]:
        """The server of each lane. Raises ImproperlyConfigured, without a password in it."""
        given = getattr(settings, self.name, None)
        return dict.fromkeys(LANES, django_server()) if given is None else read(given, self.name)


def read(value: Any, name: str) -> Mapping[str, SmtpServer]:
    """A server for each lane; bulk mail shares the transactional one unless it has its own."""
    if not isinstance(value, Mapping):
        return dict.fromkeys(LANES, _server(value, name))
    unknown = sorted(set(value) - set(LANES))
    if unknown or LANES[0] not in value:
        raise ImproperlyConfigured(f"{name} names the lanes transactional and, if it likes, bulk.")
    return {lane: _server(value.get(lane) or value[LANES[0]], name) for lane in LANES}


def django_server() -> SmtpServer:
    """The server that EMAIL_HOST, EMAIL_PORT and the other settings of Django name."""
    return SmtpServer(
        host=settings.EMAIL_HOST,
        port=settings.EMAIL_PORT,
        user=settings.EMAIL_HOST_USER,
        password=settings.EMAIL_HOST_PASSWORD,
        starttls=settings.EMAIL_USE_TLS,
        implicit_tls=settings.EMAIL_USE_SSL,
    )


def _server(value: Any, name: str) -> SmtpServer:
    if isinstance(value, SmtpServer):
        return value
    if not isinstance(value, str):
        raise ImproperlyConfigured(f"{name} has a server that is not written as smtp://host:port.")
    return SmtpServer.parse(value, name=name)
