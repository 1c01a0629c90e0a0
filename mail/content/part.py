"""Parts: one part of a broadcast's MIME, cut where a recipient's own words go.

What it yields for one recipient is, octet for octet, what the email package makes of that text.
Words that fit (they make no line pass 998 octets and can be printed) stand in their places as they
are. For all others the text takes the long way, through the email package.
"""

import email.quoprimime
import quopri
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from django.core.mail.message import SafeMIMEText

from mail.content.placeholders import OPEN, PLACEHOLDER, Words, filled

LINE_LIMIT = 998  # octets without CRLF, RFC 5322 §2.1.1
NEXT_FIELD = re.compile(rb"\r\n(?![ \t])")
ENCODING = re.compile(rb"(?i)content-transfer-encoding: *(\S+)")

Fill = Callable[[Words], bytes]
"""What stands in one place of the mail for one recipient."""

Pieces = Iterable[bytes | Fill]


class Part:
    """Header fields, and a text if it has one. `complete` may change the fields."""

    def __init__(self, stored: bytes, complete: Callable[[list[bytes]], Pieces] = list) -> None:
        head, self.blank, body = stored.partition(b"\r\n\r\n")
        self.text = Text(body, _encoding(head))
        self.head = list(complete(NEXT_FIELD.split(head)))

    def plain(self) -> Iterator[bytes | Fill]:
        """What it consists of, for words that have room."""
        return self._with(self.text.plain_encoding(), self.text.plain())

    def fill(self, words: Words) -> bytes:
        """The whole of it, for any words."""
        encoding, body = self.text.fill(words)
        pieces = self._with(encoding.encode("ascii"), [body])
        return b"".join(one if isinstance(one, bytes) else one(words) for one in pieces)

    def _with(self, encoding: bytes | Fill, text: Pieces) -> Iterator[bytes | Fill]:
        for number, field in enumerate(self.head):
            yield b"\r\n" if number else b""
            if isinstance(field, bytes) and ENCODING.match(field):
                yield b"Content-Transfer-Encoding: "
                yield encoding
            else:
                yield field
        yield self.blank
        yield from text


class Text:
    """The body of a part, and how it is encoded for its recipient (RFC 2045 §6)."""

    def __init__(self, body: bytes, encoding: str) -> None:
        self.encoding = encoding
        self.is_quoted = encoding == "quoted-printable"
        self.text = _decoded(body, encoding)
        self.personal: list[str] = []
        self.constant = [b""]
        """What stands before, between and after the personal lines."""
        self.has_long_line = False
        if OPEN in self.text:
            self._cut()
        else:
            self.constant = [body]

    @property
    def room(self) -> int:
        """How many octets a word may have that surely changes no line's length class.

        Nobody's have room where it depends on the words alone whether a line is too long.
        """
        if not self.personal or (self.is_quoted and self.has_long_line):
            return sys.maxsize
        return 0 if self.is_quoted else min(map(_room, self.personal))

    def plain(self) -> Iterator[bytes | Fill]:
        """The encoded text, for words that have room."""
        yield self.constant[0]
        for line, constant in zip(self.personal, self.constant[1:], strict=True):
            if self.is_quoted:
                yield partial(_quoted_line, line)
            else:
                yield from _line(line)
            yield constant

    def plain_encoding(self) -> bytes | Fill:
        """How that is encoded."""
        lines = "".join(self.personal)
        depends = lines and not self.is_quoted
        if depends and PLACEHOLDER.sub("", lines).isascii() and b"".join(self.constant).isascii():
            return partial(_encoding_for, set(PLACEHOLDER.findall(lines)))
        return b"8bit" if depends else self.encoding.encode("ascii")

    def fill(self, words: Words) -> tuple[str, bytes]:
        """The encoding for any words, and the encoded text."""
        return (
            self.fill_the_long_way(words) if self.personal else (self.encoding, self.constant[0])
        )

    def fill_the_long_way(self, words: Words) -> tuple[str, bytes]:
        """The same by the email package, which chooses the encoding."""
        text = filled(self.text, words).replace("\r\n", "\n")
        part = SafeMIMEText(text, "plain", "utf-8")
        body = part.as_bytes(linesep="\r\n").partition(b"\r\n\r\n")[2]
        return str(part["Content-Transfer-Encoding"]), body

    def _cut(self) -> None:
        for number, line in enumerate(self.text.split("\r\n")):
            self.constant[-1] += b"\r\n" if number else b""
            if OPEN in line:
                self.personal.append(line)
                self.constant.append(b"")
            else:
                self.constant[-1] += _quoted(line) if self.is_quoted else line.encode()
            self.has_long_line |= _is_long(PLACEHOLDER.sub("", line))


def is_personal(stored: bytes) -> bool:
    """Whether a recipient's own words go into the text of a part."""
    head, _, body = stored.partition(b"\r\n\r\n")
    return OPEN in _decoded(body, _encoding(head))


def _line(line: str) -> Iterator[bytes | Fill]:
    """A line, cut where words go."""
    constant, *others = PLACEHOLDER.split(line)
    yield constant.encode()
    for field, following in zip(others[::2], others[1::2], strict=True):
        yield partial(_word, field)
        yield following.encode()


def _word(field: str, words: Words) -> bytes:
    return words.get(field, "").encode()


def _quoted_line(line: str, words: Words) -> bytes:
    return _quoted(filled(line, words))


def _quoted(line: str) -> bytes:
    octets = line.encode().decode("latin-1")
    return email.quoprimime.body_encode(octets, eol="\r\n").encode("ascii")


def _encoding_for(fields: set[str], words: Words) -> bytes:
    return b"7bit" if all(words.get(field, "").isascii() for field in fields) else b"8bit"


def _room(line: str) -> int:
    constant, places = PLACEHOLDER.subn("", line)
    return (LINE_LIMIT - len(constant.encode())) // max(1, places)


def _is_long(line: str) -> bool:
    """Whether the email package finds a line here that is longer than 8bit may have."""
    return any(len(one.encode()) > LINE_LIMIT for one in line.splitlines())


def _encoding(head: bytes) -> str:
    found = ENCODING.search(head)
    return found[1].decode("ascii").lower() if found else ""


def _decoded(body: bytes, encoding: str) -> str:
    """A text as it was written; nothing for a part that is none."""
    if encoding == "quoted-printable":
        return quopri.decodestring(body).decode(errors="replace")
    return body.decode(errors="replace") if encoding in ("7bit", "8bit") else ""
