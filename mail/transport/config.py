"""Which SMTP server, how to log in there, how fast it may be used: EMAIL_URL and MAIL_RATE."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

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
