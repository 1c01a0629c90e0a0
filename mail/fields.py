"""Fields: the header fields that differ from recipient to recipient, as the email package writes them.

Most names and addresses are plain enough to be written here, at a tenth of its cost; for all
others it is asked. Tests compare the two octet by octet.
"""

import re
from email.charset import Charset
from email.message import Message as MimeMessage
from email.utils import formataddr

from django.core.mail.message import SafeMIMEText, sanitize_address

LINE = 78  # octets of a header line before it is folded, RFC 5322 §2.1.1
ONE_WORD = 60  # octets of an encoded word that surely is not broken in two (RFC 2047 §2 allows 75)

UTF_8 = Charset("utf-8")
PLAIN_NAME = re.compile(r"[!-~]+(?: [!-~]+)*")
PLAIN_ADDRESS = re.compile(r"[a-zA-Z0-9_+-]+(?:\.[a-zA-Z0-9_+-]+)*@[a-z0-9.-]+")


def to(name: str, address: str) -> bytes:
    """The To field for one recipient, RFC 2047 words where the name is not ASCII.

    Raises ValueError for a name or an address that no header can carry.
    """
    if PLAIN_ADDRESS.fullmatch(address) and (word := _word(name)) is not None:
        field = f"To: {formataddr((word, address))}"
        if len(field) <= LINE:
            return field.encode("ascii")
    return folded("To", sanitize_address((name, address), "utf-8"))


def message_id(value: str) -> bytes:
    """The Message-ID field. It has no space, so it stands in one line, the first or the second."""
    separator = " " if len("Message-ID: ") + len(value) <= LINE else " \r\n "
    return f"Message-ID:{separator}{value}".encode("ascii")


def subject(text: str) -> bytes:
    """The Subject field. Raises BadHeaderError for a line break."""
    email = SafeMIMEText("", "plain", "utf-8")
    email["Subject"] = text
    return folded("Subject", email["Subject"])


def folded(name: str, value: str) -> bytes:
    """A field as the email package folds it, CRLF line ends, none at its end."""
    headers = MimeMessage()
    headers[name] = value
    return headers.as_bytes().rstrip(b"\n").replace(b"\n", b"\r\n")


def _word(name: str) -> str | None:
    """A name that needs no folding, as it stands in a header; None if it might."""
    if not name.isascii():
        encoded = UTF_8.header_encode(name) if name.isprintable() else ""
        return encoded if 0 < len(encoded) <= ONE_WORD else None
    plain = not name or (len(name) <= ONE_WORD and PLAIN_NAME.fullmatch(name))
    return name if plain else None
