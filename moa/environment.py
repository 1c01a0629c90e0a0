"""Read the environment of the process. What is missing or malformed ends the start in a sentence."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()


def required(name: str, purpose: str) -> str:
    """The value of `name`; raises ImproperlyConfigured when it is missing or empty."""
    value = env.str(name, default="").strip()
    if not value:
        raise ImproperlyConfigured(f"set {name} in the environment: {purpose}.")
    return value


def number(name: str, default: float, *, minimum: float) -> float:
    """The number in `name`; raises ImproperlyConfigured when it is none or below `minimum`."""
    text = env.str(name, default=str(default))
    try:
        value = float(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={text!r} is not a number.") from None
    if value < minimum:
        raise ImproperlyConfigured(f"{name}={text} is below its minimum, {minimum:g}.")
    return value


@dataclass(frozen=True, kw_only=True)
class SmtpServer:
    """One SMTP server, as EMAIL_URL names it."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    starttls: bool = False
    implicit_tls: bool = False

    def __repr__(self) -> str:
        return f"SmtpServer({self.host}:{self.port})"


SCHEMES: dict[str, dict[str, Any]] = {
    "smtp": {"port": 25},
    "smtp+tls": {"port": 587, "starttls": True},
    "smtp+ssl": {"port": 465, "implicit_tls": True},
}


def smtp_server(name: str, url: str) -> SmtpServer:
    """Parse `smtp://host:port`, `smtp+tls://user:pass@host:587` or `smtp+ssl://…`.

    Raises ImproperlyConfigured naming the variable and what is wrong; never shows the password.
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
    return SmtpServer(
        host=parts.hostname,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        **defaults | {"port": port or defaults["port"]},
    )


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How fast mails may leave, over all workers together; None is unlimited."""

    per_second: float | None = None
    per_day: int | None = None


RATE = re.compile(r"^(?P<count>\d+(\.\d+)?)/(?P<unit>s|m|h|d)$")
SECONDS = {"s": 1, "m": 60, "h": 3600}


def rate(name: str) -> Rate:
    """Parse a rate such as `14/s`, `500/m` or `14/s,50000/d`; empty means unlimited."""
    per_second: float | None = None
    per_day: int | None = None
    for part in filter(None, (part.strip() for part in env.str(name, default="").split(","))):
        match = RATE.match(part)
        if not match or float(match["count"]) <= 0:
            raise ImproperlyConfigured(
                f"{name} has {part!r}; write it as 14/s, 500/m or 14/s,50000/d."
            )
        if match["unit"] == "d":
            per_day = int(float(match["count"]))
        else:
            per_second = float(match["count"]) / SECONDS[match["unit"]]
    return Rate(per_second=per_second, per_day=per_day)


def broker_urls(value: str) -> list[str]:
    """Split BROKER_URL at `;`. Raises ImproperlyConfigured for a transport Moa does not speak."""
    urls = [url.strip() for url in value.split(";") if url.strip()]
    for url in urls:
        if not url.startswith(("amqp://", "amqps://", "filesystem://")):
            raise ImproperlyConfigured(
                "BROKER_URL must be amqp://…, amqps://… or, embedded, filesystem:///folder."
            )
    return urls
