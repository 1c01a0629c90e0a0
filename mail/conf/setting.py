"""A setting: a default, and how its value is read."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.conf import settings

Value = TypeVar("Value")


class Setting(Generic[Value]):
    """An attribute that reads the Django setting of the same name, or its default.

    `read` turns the raw value of a settings module or an environment into the value to use, or
    raises ImproperlyConfigured. It runs on every access, so that a setting overridden in a test
    takes effect at once; it has to be cheap. The default is a raw value too.
    """

    def __init__(self, read: Callable[[Any, str], Value], default: Any = None) -> None:
        self.read = read
        self.default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        if self.default is not None:
            self.default = self.read(self.default, name)

    def __get__(self, instance: object, owner: type | None = None) -> Value:
        """The value. Raises ImproperlyConfigured if the Django setting is invalid."""
        given = getattr(settings, self.name, None)
        return self.default if given is None else self.read(given, self.name)
