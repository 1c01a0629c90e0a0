"""The text of one MIME part of a broadcast, encoded for one recipient (RFC 2045 §6)."""

import quopri
import sys
from binascii import a2b_base64
from collections.abc import Callable, Iterator
from functools import partial

from mail.content.base64_lines import Base64Lines
from mail.content.mime import INSTALLED
from mail.content.placeholders import OPEN, PLACEHOLDER, Substitutions, substitute

Slot = Callable[[Substitutions], bytes]
"""A place in the mail whose octets differ from recipient to recipient."""

Fragment = bytes | Slot

DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "7bit": bytes,
    "8bit": bytes,
    "quoted-printable": quopri.decodestring,
    "base64": a2b_base64,
}


class Text:
    """A text as it is stored. Most recipients get it from its fragments, the rest from `render`.

    The fragments hold if no value has more than `longest_value` octets and all can be printed:
    then the values cannot change how the text is encoded, nor where its lines end.
    """

    def __init__(self, body: bytes, encoding: str) -> None:
        self.body, self.encoding = body, encoding
        self.decoded = _decoded(body, encoding)
        self.is_personal = OPEN in self.decoded
        self.longest_value = (
            INSTALLED.longest_value(self.decoded, encoding) if self.is_personal else sys.maxsize
        )

    def fragments(self) -> Iterator[Fragment]:
        """The encoded text."""
        if not self.is_personal:
            yield self.body
        elif self.encoding == "base64":
            yield Base64Lines(self.decoded).encode
        else:
            yield from self._lines()

    def encoding_fragment(self) -> Fragment:
        """The transfer encoding of the fragments."""
        if not self.is_personal or self.encoding in ("quoted-printable", "base64"):
            return self.encoding.encode("ascii")
        if PLACEHOLDER.sub("", self.decoded).isascii():
            return partial(_encoding_for, set(PLACEHOLDER.findall(self.decoded)))
        return b"8bit"

    def render(self, values: Substitutions) -> tuple[str, bytes]:
        """The transfer encoding for any values, and the encoded text."""
        return self.encode(values) if self.is_personal else (self.encoding, self.body)

    def encode(self, values: Substitutions) -> tuple[str, bytes]:
        """The same for a text with placeholders, by the email package: a hundred times slower."""
        return INSTALLED.encode(substitute(self.decoded, values))

    def _lines(self) -> Iterator[Fragment]:
        is_quoted = self.encoding == "quoted-printable"
        for number, line in enumerate(self.decoded.split("\r\n")):
            yield b"\r\n" if number else b""
            if OPEN not in line:
                yield INSTALLED.quoted_line(line) if is_quoted else line.encode()
            elif is_quoted:
                yield partial(_quoted_line, line)
            else:
                yield from _split(line)


def _decoded(body: bytes, encoding: str) -> str:
    decode = DECODERS.get(encoding)
    return decode(body).decode(errors="replace") if decode else ""


def _split(line: str) -> Iterator[Fragment]:
    """An unencoded line, split at its placeholders."""
    constant, *others = PLACEHOLDER.split(line)
    yield constant.encode()
    for field, following in zip(others[::2], others[1::2], strict=True):
        yield partial(_value, field)
        yield following.encode()


def _value(field: str, values: Substitutions) -> bytes:
    return values.get(field, "").encode()


def _quoted_line(line: str, values: Substitutions) -> bytes:
    return INSTALLED.quoted_line(substitute(line, values))


def _encoding_for(fields: set[str], values: Substitutions) -> bytes:
    return b"7bit" if all(values.get(field, "").isascii() for field in fields) else b"8bit"
