"""A setting: a default, and how its value is read."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.conf import settings

Value = TypeVar("Value")


class Setting(Generic[Value]):
    """An attribute whose value Django's settings give under the same name, or the default.

    `read` turns what a settings module or an environment says into the value, and raises
    ImproperlyConfigured. It is called with every access, so that settings overridden in a test
    count at once; it has to be cheap. The default may be written as a project would write it.
    """

    def __init__(self, read: Callable[[Any, str], Value], default: Any = None) -> None:
        self.read = read
        self.default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        if self.default is not None:
            self.default = self.read(self.default, name)

    def __get__(self, instance: object, owner: type | None = None) -> Value:
        """The value. Raises ImproperlyConfigured when Django's settings give one of no use."""
        given = getattr(settings, self.name, None)
        return self.default if given is None else self.read(given, self.name)
