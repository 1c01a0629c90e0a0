"""Which SMTP server, and how to log in there."""

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
