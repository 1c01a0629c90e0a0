"""An SMTP server and the login there."""

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
        """Host and port, as recorded beside each reply."""
        return f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, url: str, *, name: str) -> Self:
        """Parse `smtp://host:port`, `smtp+tls://user:pass@host:587` or `smtp+ssl://…`.

        Raises ImproperlyConfigured, naming the variable `name` but never showing the password.
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
        """The server that OPTIONS describe, named as for Django's SMTP backend."""
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
