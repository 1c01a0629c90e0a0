"""System checks for settings that start cleanly but would lose or misdirect mail later.

The ids are stable, so that a check can be silenced with SILENCED_SYSTEM_CHECKS.
"""

from collections.abc import Iterator, Sequence
from email.utils import parseaddr
from typing import Any

from celery import current_app
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Caution
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.utils.module_loading import import_string

from mail import celery
from mail.celery.defaults import FILES
from mail.conf import declared, settings
from mail.conf.smtp_server import SmtpServer
from mail.conf.transports import HAS_MAILERS, Backend
from mail.content.addresses import InvalidAddress, normalise
from mail.content.mime import INSTALLED
from mail.transport.session import CONNECT_PATIENCE
from mail.transport.wire import WAKE

OUTBOX = "mail.backends.OutboxBackend"
DURABLE = ("fsync", "full_page_writes")


@register("mail")
def check_settings(**_: Any) -> list[CheckMessage]:
    """Check the settings, on every start. Invalid values are reported before all else."""
    if invalid := list(_values()):
        return invalid
    return [
        *_infrastructure(),
        *_celery(),
        *_default_backend(),
        *_transports(),
        *_addresses(),
        *_lease(),
    ]


@register(deploy=True)
def check_redirection(**_: Any) -> list[CheckMessage]:
    """With `check --deploy`: warn if customers' mail goes to a staging address."""
    if any(_values()) or not settings.MAIL_REDIRECT_TO:
        return []
    return [
        Caution(
            "MAIL_REDIRECT_TO is set: every mail goes to that address and none to a customer.",
            hint="Unset MAIL_REDIRECT_TO, except on a staging system.",
            id="mail.W002",
        )
    ]


@register(deploy=True)
def check_names(**_: Any) -> list[CheckMessage]:
    """With `check --deploy`: a long name in a header keeps its quotes."""
    if INSTALLED.reads_back("Kim, " * 30 + "Lee", "kim@example.com"):
        return []
    return [
        Caution(
            "This Python drops the quotes of a long name in a header (python/cpython#80222): "
            "a sender's name with a comma in it can pose as other addresses.",
            hint="Set up Python 3.12.9, 3.13.2 or newer.",
            id="mail.W005",
        )
    ]


@register(Tags.database)
def check_durability(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """With `migrate` or `check --database`: warn if a power failure may undo commits."""
    return [warning for alias in databases or [] for warning in _durability(alias)]


def _values() -> Iterator[CheckMessage]:
    for name, setting in declared().items():
        try:
            setting.__get__(settings)
        except ImproperlyConfigured as error:
            hint = f"Correct {name}, or remove it to use the default."
            yield Error(str(error), hint=hint, id="mail.E009")


def _infrastructure() -> Iterator[CheckMessage]:
    if connections["default"].vendor not in ("postgresql", "sqlite"):
        yield Error(
            "The database is neither PostgreSQL nor SQLite.",
            hint="Set the engine of DATABASES to django.db.backends.postgresql.",
            id="mail.E001",
        )


def _celery() -> Iterator[CheckMessage]:
    if not celery.is_configured(current_app):
        yield Error(
            "The Celery app has no mail queues, so workers would deliver no mail.",
            hint="Set up the app with mail.celery.configure(app), and import it in the project's "
            "__init__.py.",
            id="mail.E010",
        )
    elif str(current_app.conf.broker_url).startswith(FILES) and not django_settings.DEBUG:
        yield Error(
            "The broker is a folder of files, which is not suitable for production.",
            hint="Set the URL of the broker to amqp://user:password@host:5672/vhost.",
            id="mail.E002",
        )


def _default_backend() -> Iterator[CheckMessage]:
    """Django's default mailer: MAILERS where Django has it and it is set, else EMAIL_BACKEND."""
    if HAS_MAILERS and hasattr(django_settings, "MAILERS"):
        mailers: dict[str, Any] = getattr(django_settings, "MAILERS")  # noqa: B009
        name, backend = "MAILERS['default']", mailers.get("default", {}).get("BACKEND")
    else:
        name, backend = "EMAIL_BACKEND", django_settings.EMAIL_BACKEND
    if backend != OUTBOX:
        yield Error(
            f"{name} is not the outbox: send_mail() would speak SMTP inside the request.",
            hint=f"Set {name} to {OUTBOX!r}; workers send through MAIL_TRANSPORTS.",
            id="mail.E003",
        )


def _transports() -> Iterator[CheckMessage]:
    transports = settings.MAIL_TRANSPORTS
    for path in sorted({one.path for one in transports.values() if isinstance(one, Backend)}):
        yield from _backend(path)
    if any(isinstance(one, SmtpServer) for one in transports.values()):
        yield from _certificates()


def _backend(path: str) -> Iterator[CheckMessage]:
    try:
        backend = import_string(path)
    except ImportError as error:
        yield Error(
            f"The backend of a transport cannot be imported: {error}",
            hint="Set MAIL_BACKEND to the path of a Django e-mail backend, or leave it empty.",
            id="mail.E004",
        )
        return
    if isinstance(backend, type) and issubclass(backend, import_string(OUTBOX)):
        yield Error(
            "A transport uses the outbox: workers would record mails again, not send them.",
            hint="Set MAIL_BACKEND to a backend that sends, or leave it empty to use EMAIL_URL.",
            id="mail.E005",
        )


def _certificates() -> Iterator[CheckMessage]:
    """Django's client certificates, which `mail.transport.smtp` does not use."""
    if HAS_MAILERS and hasattr(django_settings, "MAILERS"):
        return
    if django_settings.EMAIL_SSL_CERTFILE or django_settings.EMAIL_SSL_KEYFILE:
        yield Caution(
            "EMAIL_SSL_CERTFILE and EMAIL_SSL_KEYFILE are ignored by MAIL_TRANSPORTS over SMTP.",
            hint="Set MAIL_BACKEND to django.core.mail.backends.smtp.EmailBackend to use them.",
            id="mail.W004",
        )


def _addresses() -> Iterator[CheckMessage]:
    if settings.MAIL_REDIRECT_TO and not _is_address(settings.MAIL_REDIRECT_TO):
        yield Error(
            "MAIL_REDIRECT_TO is not an e-mail address.",
            hint="Set it to an address such as staging@shop.example, or leave it empty.",
            id="mail.E006",
        )
    if not _is_address(parseaddr(django_settings.DEFAULT_FROM_EMAIL)[1]):
        yield Error(
            "DEFAULT_FROM_EMAIL contains no e-mail address.",
            hint="Set DEFAULT_FROM_EMAIL to one such as: Shop <no-reply@shop.example>",
            id="mail.E007",
        )


def _lease() -> Iterator[CheckMessage]:
    """While a connection opens, no lease is renewed; after two a worker counts as dead."""
    shortest = (CONNECT_PATIENCE + WAKE) / 2
    if settings.MAIL_LEASE.total_seconds() < shortest:
        yield Caution(
            "MAIL_LEASE is too short: a worker opening a connection would count as dead.",
            hint=f"Set MAIL_LEASE to {shortest:g} seconds or more.",
            id="mail.W003",
        )


def _durability(alias: str) -> Iterator[CheckMessage]:
    if connections[alias].vendor != "postgresql":
        return
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT name FROM pg_settings WHERE name = ANY(%s) AND setting = 'off'",
            [list(DURABLE)],
        )
        off = [name for (name,) in cursor.fetchall()]
    if off:
        yield Caution(
            f"PostgreSQL runs with {' and '.join(off)} off: a power cut can lose accepted mail.",
            hint=f"Turn {' and '.join(off)} on in postgresql.conf.",
            id="mail.W001",
        )


def _is_address(text: str) -> bool:
    try:
        normalise(text)
    except InvalidAddress:
        return False
    return True
