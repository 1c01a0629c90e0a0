"""Django's own mailers, configured as the installed Django expects (MAILERS since 6.1)."""

from typing import Any

import django
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.module_loading import import_string

HAS_MAILERS = django.VERSION >= (6, 1)
OUTBOX = "mail.backends.OutboxBackend"
SMTP = "django.core.mail.backends.smtp.EmailBackend"


def set_default(settings: Any, backend: str, **options: Any) -> None:
    """Make a backend the one that `send_mail` uses; `settings` is pytest-django's fixture.

    Before 6.1 a backend takes its options from settings: give them to `make` instead.
    """
    if HAS_MAILERS:
        settings.MAILERS = settings.MAILERS | {"default": {"BACKEND": backend, "OPTIONS": options}}
    else:
        settings.EMAIL_BACKEND = backend


def make(backend: str, **options: Any) -> BaseEmailBackend:
    """A backend beside the default one."""
    named = {"alias": "default"} if HAS_MAILERS else {}
    made: BaseEmailBackend = import_string(backend)(**named, **options)
    return made


def admins(*addresses: str) -> list[Any]:
    """The value of ADMINS for these addresses: pairs with a name before Django 6.0."""
    return list(addresses) if django.VERSION >= (6, 0) else [("", one) for one in addresses]
