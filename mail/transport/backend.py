"""Any Django e-mail backend as a connection: django-anymail's, or your own (MAIL_BACKEND)."""

import contextlib
import smtplib
from collections.abc import Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedMessage
from email.message import Message as MimeMessage
from email.mime.base import MIMEBase
from typing import Any

import django
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.module_loading import import_string

from mail.transport.base import NO_CALLBACKS, Callbacks, Envelope
from mail.transport.replies import Phase, Reply

NOT_COPIED = {"from", "to", "cc", "bcc", "reply-to", "subject", "mime-version"}


class BackendConnection:
    """A Django e-mail backend. What it raises is read for the certainty there is in it."""

    def __init__(
        self, path: str, *, alias: str = "default", options: Mapping[str, Any] | None = None
    ) -> None:
        self.path, self.alias, self.options = path, alias, options or {}
        self.connection: Any = None

    def open(self, callbacks: Callbacks = NO_CALLBACKS) -> Reply | None:
        """Open the backend's connection, unless it is; see Connection.open."""
        if self.connection is not None:
            return None
        try:
            connection = new_connection(self.path, alias=self.alias, options=self.options)
            connection.open()
        except Exception as error:
            return self._trouble(error, otherwise=Phase.CONNECT)
        self.connection = connection
        return None

    def deliver(self, envelope: Envelope, callbacks: Callbacks) -> Reply:
        """Hand the stored mail over as an EmailMessage; see Connection.deliver."""
        if trouble := self.open(callbacks):
            return trouble
        try:
            email = stored_email(envelope)
        except Exception as error:
            return self._reply(Phase.CONTENT, 554, f"content: {type(error).__name__}")
        callbacks.before_end_of_data()
        try:
            count = self.connection.send_messages([email])
        except Exception as error:
            self.close()
            return self._trouble(error, otherwise=Phase.DOT)
        if count == 1:
            return self._reply(Phase.DOT, 250, "accepted")
        return self._reply(Phase.DOT, 451, "the backend sent nothing")

    def withdraw(self) -> None:
        """Nothing was announced."""

    def close(self) -> None:
        """Close the backend's connection."""
        if self.connection is not None:
            with contextlib.suppress(Exception):
                self.connection.close()
        self.connection = None

    def _trouble(self, error: Exception, *, otherwise: Phase) -> Reply:
        """A refusal is certain, and so is an HTTP status; any other error is what `otherwise` is.

        AnymailRecipientsRefused is known by its name, which ends as smtplib's; it tells no more.
        """
        if type(error).__name__.endswith("RecipientsRefused"):
            refusals = getattr(error, "recipients", {}).values()
            code, text = next(iter(refusals), (550, b"recipient refused"))
            return self._reply(Phase.RCPT, code, _decoded(text))
        if isinstance(error, smtplib.SMTPSenderRefused):
            return self._reply(Phase.MAIL, error.smtp_code, _decoded(error.smtp_error))
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return self._reply(Phase.AUTH, error.smtp_code, _decoded(error.smtp_error))
        if isinstance(error, smtplib.SMTPResponseException):
            return self._reply(otherwise, error.smtp_code, _decoded(error.smtp_error))
        if isinstance(status := getattr(error, "status_code", None), int):
            return self._reply(otherwise, _smtp_code(status), f"HTTP {status}")
        return self._reply(otherwise, None, f"{type(error).__name__}")

    def _reply(self, phase: Phase, code: int | None, text: str) -> Reply:
        return Reply.parse(phase, code, text, host=self.path)


def new_connection(path: str, *, alias: str, options: Mapping[str, Any]) -> BaseEmailBackend:
    """A backend, made as this Django makes those of MAILERS; before 6.1 they know no alias."""
    named = {"alias": alias} if django.VERSION >= (6, 1) else {}
    backend: BaseEmailBackend = import_string(path)(**named, **options)
    return backend


class StoredEmail(EmailMultiAlternatives):
    """An EmailMessage read back from stored bytes; `message()` gives exactly those."""

    mime: "StoredMime"
    envelope: Envelope

    def recipients(self) -> list[str]:
        return [self.envelope.recipient]

    def message(self, *, policy: Any = policy.default) -> Any:
        self.mime.linesep = policy.linesep
        return self.mime


class StoredMime(MimeMessage):
    """The stored mail, which gives its bytes as Django's own messages do."""

    stored = b""
    linesep = "\n"

    def as_bytes(self, unixfrom: bool = False, policy: Any = None, linesep: str = "") -> bytes:
        """The stored bytes with the line ends asked for; nothing is re-encoded."""
        return self.stored.replace(b"\r\n", (linesep or self.linesep).encode())


class StoredPart(MIMEBase):
    """An attachment with its own headers (Content-ID, Content-Disposition) and encoding."""

    def __init__(self, policy: Any = policy.compat32) -> None:
        MimeMessage.__init__(self, policy)


def stored_email(envelope: Envelope) -> StoredEmail:
    """The stored content as Django's type, for backends that read its attributes."""
    parsed = message_from_bytes(envelope.content, policy=policy.default)
    assert isinstance(parsed, ParsedMessage)  # noqa: S101
    plain, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
    body = plain or html
    email = StoredEmail(
        subject=str(parsed["subject"] or "").strip(),
        body=_text(body) if body else "",
        from_email=str(parsed["from"] or envelope.sender),
        to=[envelope.recipient],
        reply_to=[str(one) for field in parsed.get_all("reply-to", []) for one in field.addresses],
        headers={k: str(v) for k, v in parsed.items() if not _is_structural(k)},
    )
    if html and plain:
        email.attach_alternative(_text(html), "text/html")
    elif html:
        email.content_subtype = "html"
    for part in parsed.iter_attachments():
        email.attach(_attachment(part))
    email.mime = message_from_bytes(envelope.content, _class=StoredMime)
    email.mime.stored = envelope.content
    email.envelope = envelope
    return email


def _attachment(part: Any) -> Any:
    """A part as Django attaches one: a MIMEBase before 6.0, a MIMEPart since."""
    if django.VERSION >= (6, 0):
        return part
    return message_from_bytes(part.as_bytes(), _class=StoredPart)


def _text(part: Any) -> str:
    return str(part.get_content()).replace("\r\n", "\n")


def _is_structural(header: str) -> bool:
    return header.lower() in NOT_COPIED or header.lower().startswith("content-")


def _smtp_code(status: int) -> int:
    """The SMTP reply that an HTTP status amounts to."""
    if status in (401, 403):
        return 535
    if status == 429:
        return 421
    if status in (408, 409) or status >= 500:
        return 451
    return 550 if status >= 400 else 250


def _decoded(text: bytes | str) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text
