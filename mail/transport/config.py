"""Where each lane's mails go and how fast: MAIL_TRANSPORTS, EMAIL_URL and MAIL_RATE.

MAIL_TRANSPORTS has the shape of Django's MAILERS, with a lane in place of an alias:

    MAIL_TRANSPORTS = {
        "transactional": {"OPTIONS": {"host": "smtp.example", "port": 587, "use_tls": True}},
        "bulk": {"BACKEND": "anymail.backends.amazon_ses.EmailBackend", "OPTIONS": {}},
    }

Without a BACKEND it is an SMTP server, spoken to by `mail.transport.smtp`; a BACKEND is any Django
e-mail backend, and OPTIONS what its class takes.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

DJANGO_SMTP = "django.core.mail.backends.smtp.EmailBackend"
LANES = ("transactional", "bulk")  # the values of Lane; settings cannot import models
SCHEMES: dict[str, dict[str, Any]] = {
    "smtp": {"port": 25},
    "smtp+tls": {"port": 587, "starttls": True},
    "smtp+ssl": {"port": 465, "implicit_tls": True},
}


@dataclass(frozen=True, kw_only=True)
class SmtpServer:
    """One SMTP server."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    starttls: bool = False
    implicit_tls: bool = False

    def __repr__(self) -> str:
        return f"SmtpServer({self.place})"

    @classmethod
    def from_options(
        cls,
        *,
        host: str,
        port: int = 25,
        username: str = "",
        password: str = "",
        use_tls: bool = False,
        use_ssl: bool = False,
    ) -> Self:
        """The server that OPTIONS describe, in the names of Django's SMTP backend."""
        return cls(
            host=host,
            port=port,
            user=username,
            password=password,
            starttls=use_tls,
            implicit_tls=use_ssl,
        )

    def options(self) -> dict[str, Any]:
        """The OPTIONS that describe this server."""
        return {
            "host": self.host,
            "port": self.port,
            "username": self.user,
            "password": self.password,
            "use_tls": self.starttls,
            "use_ssl": self.implicit_tls,
        }

    @cached_property
    def place(self) -> str:
        """Host and port, as answers name the server."""
        return f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, url: str, *, name: str) -> Self:
        """Read `smtp://host:port`, `smtp+tls://user:pass@host:587` or `smtp+ssl://…`.

        Raises ImproperlyConfigured with the variable's `name`; never shows the password.
        """
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES:
            known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
            raise ImproperlyConfigured(f"{name} begins with {parts.scheme!r}; use one of {known}.")
        if not parts.hostname:
            raise ImproperlyConfigured(f"{name} names no host; write it as smtp://host:port.")
        try:
            port = parts.port
        except ValueError:
            raise ImproperlyConfigured(f"{name} has a port that is not 1 to 65535.") from None
        defaults = SCHEMES[parts.scheme]
        return cls(
            host=parts.hostname,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            **defaults | {"port": port or defaults["port"]},
        )


def transports(*, url: str, bulk_url: str, backend: str) -> dict[str, dict[str, Any]]:
    """MAIL_TRANSPORTS from the environment: EMAIL_URL, EMAIL_URL_BULK and MAIL_BACKEND.

    `backend` takes the place of SMTP in both lanes; Django's own SMTP backend gets the server of
    EMAIL_URL. Raises ImproperlyConfigured for a URL that cannot be read.
    """
    server = SmtpServer.parse(url, name="EMAIL_URL")
    bulk = SmtpServer.parse(bulk_url or url, name="EMAIL_URL_BULK")
    if backend:
        options = server.options() if backend == DJANGO_SMTP else {}
        return {lane: {"BACKEND": backend, "OPTIONS": options} for lane in LANES}
    return {
        lane: {"OPTIONS": one.options()} for lane, one in zip(LANES, (server, bulk), strict=True)
    }


RATE = re.compile(r"^(?P<count>\d+(\.\d+)?)/(?P<unit>[smhd])$")
SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How fast mails may leave, over all workers together; None is unlimited."""

    per_second: float | None = None
    per_day: int | None = None

    @classmethod
    def parse(cls, text: str, *, name: str) -> Self:
        """Read `14/s`, `500/m` or `14/s,50000/d`; empty is unlimited. Raises ImproperlyConfigured."""
        per_second: float | None = None
        per_day: int | None = None
        for part in filter(None, (part.strip() for part in text.split(","))):
            match = RATE.match(part)
            if not match or float(match["count"]) <= 0:
                raise ImproperlyConfigured(
                    f"{name} has {part!r}; write it as 14/s, 500/m or 14/s,50000/d."
                )
            if match["unit"] == "d":
                per_day = max(1, int(float(match["count"])))
            else:
                per_second = float(match["count"]) / SECONDS[match["unit"]]
        return cls(per_second=per_second, per_day=per_day)
