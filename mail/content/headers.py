"""The header fields that differ from recipient to recipient, as the installed Django folds them.

Most names and addresses are plain enough to be written here, at a tenth of the cost of the email
package, which writes all others. Tests compare the two octet by octet.
"""

import email.quoprimime
import re
import string
from binascii import b2a_base64
from email.utils import formataddr

from mail.content.mime import INSTALLED
from mail.content.placeholders import Substitutions

LINE = 78  # octets of a header line before it is folded, RFC 5322 §2.1.1
ONE_WORD = 60  # octets of an encoded word that is never split in two (RFC 2047 §2 allows 75)

ONE_OCTET_IN_Q = b"-!*+/ " + string.ascii_letters.encode() + string.digits.encode()
"""What the email package writes as one octet in an encoded word of the Q encoding, not as three."""
PLAIN_ADDRESS = re.compile(r"[a-zA-Z0-9_+-]+(?:\.[a-zA-Z0-9_+-]+)*@[a-z0-9.-]+")


def to(values: Substitutions) -> bytes:
    """The To field of one recipient; a name that is not ASCII in encoded words (RFC 2047).

    Raises ValueError for a name or an address that no header can carry.
    """
    name, address = values["name"], values["address"]
    if PLAIN_ADDRESS.fullmatch(address) and (mailbox := _mailbox(name, address)):
        field = f"To: {mailbox}"
        if len(field) <= LINE:
            return field.encode("ascii")
    return INSTALLED.to(name, address)


def message_id(values: Substitutions) -> bytes:
    """The Message-ID field. It has no space, so it is never split."""
    value = values["message_id"]
    field = f"Message-ID: {value}"
    return field.encode("ascii") if len(field) <= LINE else INSTALLED.field("Message-ID", value)


def subject(text: str) -> bytes:
    """The Subject field. Raises ValueError for a line break."""
    return INSTALLED.field("Subject", text)


def _mailbox(name: str, address: str) -> str:
    """Name and address as they stand in a header; nothing if the name might need folding."""
    if name.isascii():
        is_plain = not name or (len(name) <= ONE_WORD and INSTALLED.plain_ascii.fullmatch(name))
        return formataddr((name, address)) if is_plain else ""
    word = _encoded_word(name) if INSTALLED.plain_words.fullmatch(name) else ""
    return f"{word} <{address}>" if 0 < len(word) <= ONE_WORD else ""


def _encoded_word(text: str) -> str:
    """The encoded word (RFC 2047 §2), in base64 unless the Q encoding is about as short."""
    octets = text.encode()
    in_q = len(octets) + 2 * len(octets.translate(None, ONE_OCTET_IN_Q))
    in_base64 = -(-len(octets) // 3) * 4
    if in_q - in_base64 >= INSTALLED.base64_bias:
        return f"=?utf-8?b?{b2a_base64(octets, newline=False).decode('ascii')}?="
    return email.quoprimime.header_encode(octets, "utf-8")
