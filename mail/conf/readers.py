"""Readers of settings: each takes a raw value and its name, and returns the value to use.

All raise ImproperlyConfigured with a sentence that begins with the name. A number may be a string,
as it is in an environment.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from math import isfinite
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from mail.conf.rate import Rate


def text(value: Any, name: str) -> str:
    """The text as it is."""
    if not isinstance(value, str):
        raise ImproperlyConfigured(f"{name} is not a string.")
    return value


def rate(value: Any, name: str) -> Rate:
    """A Rate, or one written as `14/s,50000/d`."""
    return value if isinstance(value, Rate) else Rate.parse(text(value, name), name=name)


def seconds(*, minimum: float) -> Callable[[Any, str], timedelta]:
    """A timedelta, or a number of seconds."""
    number, shortest = at_least(minimum), timedelta(seconds=minimum)

    def read(value: Any, name: str) -> timedelta:
        if not isinstance(value, timedelta):
            return timedelta(seconds=number(value, name))
        if value < shortest:
            number(value.total_seconds(), name)
        return value

    return read


def whole(*, minimum: int) -> Callable[[Any, str], int]:
    """A whole number."""
    number = at_least(minimum)

    def read(value: Any, name: str) -> int:
        found = number(value, name)
        if not found.is_integer():
            raise ImproperlyConfigured(f"{name}={value} is not a whole number.")
        return int(found)

    return read


def at_least(minimum: float) -> Callable[[Any, str], float]:
    """A number from `minimum` up."""

    def read(value: Any, name: str) -> float:
        found = _number(value, name)
        if found < minimum:
            raise ImproperlyConfigured(f"{name}={value} is below its minimum, {minimum:g}.")
        return found

    return read


def _number(value: Any, name: str) -> float:
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        with suppress(ValueError):
            if isfinite(number := float(value)):
                return number
    raise ImproperlyConfigured(f"{name}={value!r} is not a number.")
