"""Read the environment of the process; a missing or invalid value stops the start."""

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()


def required(name: str, purpose: str) -> str:
    """The value of `name`; raises ImproperlyConfigured if it is missing or empty."""
    value = str(env.str(name, default="")).strip()
    if not value:
        raise ImproperlyConfigured(f"set {name} in the environment: {purpose}.")
    return value


def number(name: str, default: float, *, minimum: float) -> float:
    """The number in `name`; raises ImproperlyConfigured if it is invalid or below `minimum`."""
    text = env.str(name, default=str(default))
    try:
        value = float(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={text!r} is not a number.") from None
    if not value >= minimum:
        raise ImproperlyConfigured(f"{name}={text} is below its minimum, {minimum:g}.")
    return value


def broker_urls(value: str) -> list[str]:
    """Split BROKER_URL at `;`. Raises ImproperlyConfigured for an unsupported transport."""
    urls = [url.strip() for url in value.split(";") if url.strip()]
    for url in urls:
        if not url.startswith(("amqp://", "amqps://", "filesystem://")):
            raise ImproperlyConfigured(
                "BROKER_URL must be amqp://…, amqps://… or, embedded, filesystem:///folder."
            )
    return urls
