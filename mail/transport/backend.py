"""Any Django e-mail backend as a transport: django-anymail's, or one of your own (MAIL_BACKEND)."""

import contextlib
import smtplib
from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedMessage
from email.message import Message as MimeMessage
from email.mime.base import MIMEBase
from typing import Any

from django.core.mail import EmailMultiAlternatives, get_connection

from mail.retry import Answer, Phase
from mail.transport.envelope import Envelope, Watch

NOT_COPIED = {"from", "to", "cc", "bcc", "reply-to", "subject", "mime-version"}


class BackendTransport:
    """A Django e-mail backend. What it raises is read for the certainty there is in it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.connection: Any = None

    def open(self) -> Answer | None:
        """Open the backend's connection, unless it is; see Transport.open."""
        if self.connection is not None:
            return None
        connection = get_connection(self.path)
        try:
            connection.open()
        except Exception as error:
            return self._trouble(error, otherwise=Phase.CONNECT)
        self.connection = connection
        return None

    def deliver(self, envelope: Envelope, watch: Watch) -> Answer:
        """Hand the stored mail over as an EmailMessage; see Transport.deliver."""
        if trouble := self.open():
            return trouble
        email = stored_email(envelope)
        watch.before_dot()
        try:
            count = self.connection.send_messages([email])
        except Exception as error:
            self.close()
            return self._trouble(error, otherwise=Phase.DOT)
        if count == 1:
            return self._answer(Phase.DOT, 250, "accepted")
        return self._answer(Phase.DOT, 451, "the backend sent nothing")

    def close(self) -> None:
        """Close the backend's connection."""
        if self.connection is not None:
            with contextlib.suppress(Exception):
                self.connection.close()
        self.connection = None

    def _trouble(self, error: Exception, *, otherwise: Phase) -> Answer:
        """A refusal is certain, and so is an HTTP status; any other error is what `otherwise` is."""
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            code, text = next(iter(error.recipients.values()))
            return self._answer(Phase.RCPT, code, _decoded(text))
        if isinstance(error, smtplib.SMTPSenderRefused):
            return self._answer(Phase.MAIL, error.smtp_code, _decoded(error.smtp_error))
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return self._answer(Phase.AUTH, error.smtp_code, _decoded(error.smtp_error))
        if isinstance(error, smtplib.SMTPResponseException):
            return self._answer(otherwise, error.smtp_code, _decoded(error.smtp_error))
        if isinstance(status := getattr(error, "status_code", None), int):
            return self._answer(Phase.DOT, _smtp_code(status), f"HTTP {status}")
        return self._answer(otherwise, None, f"{type(error).__name__}")

    def _answer(self, phase: Phase, code: int | None, text: str) -> Answer:
        return Answer(phase=phase, code=code, text=text, host=self.path)


class StoredEmail(EmailMultiAlternatives):
    """An EmailMessage read back from stored bytes; `message()` gives exactly those."""

    mime: MimeMessage
    envelope: Envelope

    def recipients(self) -> list[str]:
        return [self.envelope.recipient]

    def message(self, **_: Any) -> Any:
        return self.mime


def stored_email(envelope: Envelope) -> StoredEmail:
    """The stored content as Django's type, for backends that read its attributes."""
    parsed = message_from_bytes(envelope.content, policy=policy.default)
    assert isinstance(parsed, ParsedMessage)  # noqa: S101
    plain, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
    body = plain or html
    email = StoredEmail(
        subject=str(parsed["subject"] or ""),
        body=body.get_content() if body else "",
        from_email=str(parsed["from"] or envelope.sender),
        to=[envelope.recipient],
        reply_to=[str(value) for value in parsed.get_all("reply-to", [])],
        headers={k: str(v) for k, v in parsed.items() if not _is_structural(k)},
    )
    if html and plain:
        email.attach_alternative(html.get_content(), "text/html")
    elif html:
        email.content_subtype = "html"
    for part in parsed.iter_attachments():
        email.attach(_attachment(part))
    email.mime = message_from_bytes(envelope.content)
    email.envelope = envelope
    return email


def _attachment(part: MimeMessage) -> MIMEBase:
    """The part with its own headers (Content-ID, Content-Disposition) and its own encoding."""
    attachment = MIMEBase(part.get_content_maintype(), part.get_content_subtype())
    for name in list(attachment):
        del attachment[name]
    for name, value in part.items():
        attachment[name] = str(value)
    attachment.set_payload(part.get_payload())
    return attachment


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
