"""Fields: the header fields that differ from recipient to recipient, as the email package writes them.

Most names and addresses are plain enough to be written here, at a tenth of its cost; for all
others it is asked. Tests compare the two octet by octet.
"""

import re
import string
from binascii import b2a_base64
from email.charset import Charset
from email.message import Message as MimeMessage
from email.utils import formataddr

from django.core.mail.message import SafeMIMEText, sanitize_address

LINE = 78  # octets of a header line before it is folded, RFC 5322 §2.1.1
ONE_WORD = 60  # octets of an encoded word that surely is not broken in two (RFC 2047 §2 allows 75)

UTF_8 = Charset("utf-8")
ONE_OCTET_IN_Q = b"-!*+/ " + string.ascii_letters.encode() + string.digits.encode()
"""What the email package writes as one octet in an encoded word of the Q encoding, not as three."""
PLAIN_NAME = re.compile(r"[!-~]+(?: [!-~]+)*")
PLAIN_ADDRESS = re.compile(r"[a-zA-Z0-9_+-]+(?:\.[a-zA-Z0-9_+-]+)*@[a-z0-9.-]+")


def to(name: str, address: str) -> bytes:
    """The To field for one recipient, RFC 2047 words where the name is not ASCII.

    Raises ValueError for a name or an address that no header can carry.
    """
    if PLAIN_ADDRESS.fullmatch(address) and (mailbox := _mailbox(name, address)):
        field = f"To: {mailbox}"
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


def _mailbox(name: str, address: str) -> str:
    """Name and address as they stand in a header; nothing if the name might need folding."""
    if name.isascii():
        is_plain = not name or (len(name) <= ONE_WORD and PLAIN_NAME.fullmatch(name))
        return formataddr((name, address)) if is_plain else ""
    word = _encoded_word(name) if name.isprintable() else ""
    return f"{word} <{address}>" if 0 < len(word) <= ONE_WORD else ""


def _encoded_word(text: str) -> str:
    """The encoded word (RFC 2047 §2), in base64 unless the Q encoding is as short."""
    octets = text.encode()
    in_q = len(octets) + 2 * len(octets.translate(None, ONE_OCTET_IN_Q))
    in_base64 = -(-len(octets) // 3) * 4
    if in_base64 < in_q:
        return f"=?utf-8?b?{b2a_base64(octets, newline=False).decode('ascii')}?="
    return UTF_8.header_encode(text)
