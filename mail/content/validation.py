"""What Moa refuses in a mail before it is built, because Django would send or swallow it."""

import re
from collections.abc import Iterator

from django.core.mail import EmailMessage

HEADER_NAME = re.compile(r"^[!-9;-~]+$")  # RFC 5322 §2.2: printable ASCII, no colon
SURROGATE = re.compile("[\ud800-\udfff]")
RECIPIENTS = ("to", "cc", "bcc")


class InvalidMail(ValueError):
    """The mail cannot be sent as it is; the text names the field and what is wrong."""


def check(email: EmailMessage) -> None:
    """Raise InvalidMail for a header or a text that no mail can carry (RFC 5322 §2.1.2, §2.2)."""
    _check_headers(email)
    for field, text in _texts(email):
        check_text(field, text)


def _check_headers(email: EmailMessage) -> None:
    for name in email.extra_headers:
        if not HEADER_NAME.match(name):
            raise InvalidMail(f"headers: {name!r} is no header name")
        if name.lower() == "bcc":
            raise InvalidMail("headers: Bcc would be shown to every recipient; use bcc=")


def check_text(field: str, text: str) -> None:
    """Raise InvalidMail for a NUL character or half of a surrogate pair."""
    if "\0" in text:
        raise InvalidMail(f"{field}: a NUL character")
    if half := SURROGATE.search(text):
        raise InvalidMail(f"{field}: half of a surrogate pair, {half[0]!r}")


def _texts(email: EmailMessage) -> Iterator[tuple[str, str]]:
    """Every text of a mail, with its field."""
    yield from header_texts(email)
    contents = [("text", email.body)]
    contents += [("html", part[0]) for part in getattr(email, "alternatives", [])]
    yield from ((field, content) for field, content in contents if isinstance(content, str))


def header_texts(email: EmailMessage) -> Iterator[tuple[str, str]]:
    """Every text of a mail that goes into its header, with the name of the field."""
    yield "subject", str(email.subject)
    for field in (*RECIPIENTS, "reply_to"):
        name = field.replace("_", "-")
        yield from ((name, entry) for entry in getattr(email, field))
    yield from ((name, str(value)) for name, value in email.extra_headers.items())
