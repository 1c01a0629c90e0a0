"""The drop-in EMAIL_BACKEND: every existing `send_mail()` call becomes a background job.

No error is swallowed, even with `fail_silently=True`: Django itself raises what goes wrong before
it connects, and a mail whose row was not written would be lost without a trace.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from mail import kinds, outbox
from mail.content import builder
from mail.kinds import Kind

_kind: ContextVar[Kind] = ContextVar("kind", default=kinds.DJANGO)


@contextmanager
def sending_as(kind: Kind) -> Iterator[None]:
    """Record what this block sends through `django.core.mail` with this kind."""
    token = _kind.set(kind)
    try:
        yield
    finally:
        _kind.reset(token)


class OutboxBackend(BaseEmailBackend):
    """Records mails in the outbox, in the caller's transaction or, without one, in its own."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Record each mail that has recipients; return how many.

        Raises BadHeaderError, ValueError (InvalidMail among them) and any database error.
        """
        return sum(_record(email) for email in email_messages)


def _record(email: EmailMessage) -> bool:
    if not email.recipients():
        return False
    try:
        outbox.send(email, kind=_kind.get())
    except builder.InvalidMail:
        email.message()  # prefer Django's own error for the same fault
        raise
    return True
