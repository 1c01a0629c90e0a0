"""MAIL_TRANSPORTS: how the mail of each lane leaves.

It has the shape of Django's MAILERS, with a lane in place of an alias:

    MAIL_TRANSPORTS = {
        "transactional": {"OPTIONS": {"host": "smtp.example", "port": 587, "use_tls": True}},
        "bulk": {"BACKEND": "anymail.backends.amazon_ses.EmailBackend", "OPTIONS": {}},
    }

Without BACKEND it is an SMTP server, which `mail.transport.smtp` talks to. BACKEND names any
Django e-mail backend, and OPTIONS are its arguments. A server may also be written as a URL, and
one URL may stand for both lanes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from mail.conf.setting import Setting
from mail.conf.smtp_server import SmtpServer

LANES = ("transactional", "bulk")  # the values of Lane; settings cannot import models
DJANGO_SMTP = "django.core.mail.backends.smtp.EmailBackend"
HAS_MAILERS = django.VERSION >= (6, 1)


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A Django e-mail backend: its path and the arguments of its class."""

    path: str
    options: Mapping[str, Any] = field(default_factory=dict)


Destination = SmtpServer | Backend
"""How a lane's mail leaves."""


class Transports(Setting[Mapping[str, Destination]]):
    """One server for both lanes, or a server or backend for each."""

    def __init__(self) -> None:
        super().__init__(read)

    def __get__(self, instance: object, owner: type | None = None) -> Mapping[str, Destination]:
        """The destination of each lane. Raises ImproperlyConfigured, never showing a password."""
        given = getattr(settings, self.name, None)
        return dict.fromkeys(LANES, django_server()) if given is None else read(given, self.name)


def read(value: Any, name: str) -> Mapping[str, Destination]:
    """The destination of each lane; bulk shares the transactional one unless it has its own."""
    if not isinstance(value, Mapping):
        return dict.fromkeys(LANES, _destination(value, name))
    unknown = sorted(set(value) - set(LANES))
    if unknown or LANES[0] not in value:
        raise ImproperlyConfigured(f"{name} must have the key transactional and may have bulk.")
    given = {lane: value.get(lane) or value[LANES[0]] for lane in LANES}
    return {lane: _destination(one, f"{name}[{lane!r}]") for lane, one in given.items()}


def from_urls(*, url: str, bulk_url: str, backend: str) -> Mapping[str, Destination]:
    """MAIL_TRANSPORTS from the environment: EMAIL_URL, EMAIL_URL_BULK and MAIL_BACKEND.

    `backend` takes the place of SMTP in both lanes; Django's own SMTP backend gets the server of
    EMAIL_URL. Raises ImproperlyConfigured for a URL that cannot be read.
    """
    server = SmtpServer.parse(url, name="EMAIL_URL")
    bulk = SmtpServer.parse(bulk_url or url, name="EMAIL_URL_BULK")
    if backend:
        options = server.options() if backend == DJANGO_SMTP else {}
        return dict.fromkeys(LANES, Backend(path=backend, options=options))
    return dict(zip(LANES, (server, bulk), strict=True))


def django_server() -> SmtpServer:
    """The SMTP server of Django's own settings: EMAIL_HOST and its companions, or MAILERS.

    With MAILERS it is the first mailer of Django's SMTP backend. Raises ImproperlyConfigured if
    there is none.
    """
    if not HAS_MAILERS or not hasattr(settings, "MAILERS"):
        return SmtpServer(
            host=settings.EMAIL_HOST,
            port=settings.EMAIL_PORT,
            user=settings.EMAIL_HOST_USER,
            password=settings.EMAIL_HOST_PASSWORD,
            starttls=settings.EMAIL_USE_TLS,
            implicit_tls=settings.EMAIL_USE_SSL,
        )
    for alias, mailer in settings.MAILERS.items():
        if mailer.get("BACKEND", DJANGO_SMTP) == DJANGO_SMTP:
            known = SmtpServer(host="", port=0).options().keys()
            options = {k: v for k, v in mailer.get("OPTIONS", {}).items() if k in known}
            return _smtp_server(options, f"MAILERS[{alias!r}]")
    raise ImproperlyConfigured("Set MAIL_TRANSPORTS: MAILERS names no SMTP server.")


def _destination(value: Any, name: str) -> Destination:
    if isinstance(value, SmtpServer | Backend):
        return value
    if isinstance(value, str):
        return SmtpServer.parse(value, name=name)
    if not isinstance(value, Mapping) or value.keys() - {"BACKEND", "OPTIONS"}:
        raise ImproperlyConfigured(
            f"{name} is neither smtp://host:port nor a mapping with BACKEND and OPTIONS."
        )
    options = value.get("OPTIONS", {})
    if path := value.get("BACKEND"):
        return Backend(path=path, options=options)
    return _smtp_server(options, name)


def _smtp_server(options: Mapping[str, Any], name: str) -> SmtpServer:
    try:
        return SmtpServer.from_options(**options)
    except TypeError:
        known = "host, port, username, password, use_tls and use_ssl"
        raise ImproperlyConfigured(
            f"{name} has unknown OPTIONS; an SMTP server takes {known}."
        ) from None
