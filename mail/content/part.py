"""One part of a broadcast's MIME: its header fields and its text."""

import re
from collections.abc import Callable, Iterable, Iterator
from email import message_from_bytes

from mail.content.placeholders import Substitutions
from mail.content.text import Fragment, Text

NEXT_FIELD = re.compile(rb"\r\n(?![ \t])")
ENCODING = re.compile(rb"(?i)content-transfer-encoding:")

Complete = Callable[[list[bytes]], Iterable[Fragment]]
"""Adds to the header fields of a part, or replaces some."""


class Part:
    """A part that may hold placeholders; the first one holds the header fields of the mail."""

    def __init__(self, stored: bytes, complete: Complete = list) -> None:
        head, self.blank_line, body = stored.partition(b"\r\n\r\n")
        self.text = _text(head, body)
        self.fields = list(complete(NEXT_FIELD.split(head)))

    def fragments(self) -> Iterator[Fragment]:
        """What it consists of, for values that hold to the limits of `Text`."""
        return self._with(self.text.encoding_fragment(), self.text.fragments())

    def render(self, values: Substitutions) -> bytes:
        """The whole part, for any values."""
        encoding, body = self.text.render(values)
        fragments = self._with(encoding.encode("ascii"), [body])
        return b"".join(one if isinstance(one, bytes) else one(values) for one in fragments)

    def _with(self, encoding: Fragment, text: Iterable[Fragment]) -> Iterator[Fragment]:
        for number, field in enumerate(self.fields):
            yield b"\r\n" if number else b""
            if self.text.is_personal and isinstance(field, bytes) and ENCODING.match(field):
                yield b"Content-Transfer-Encoding: "
                yield encoding
            else:
                yield field
        yield self.blank_line
        yield from text


def _text(head: bytes, body: bytes) -> Text:
    """The text of a part, or the octets of any other content, which hold no placeholders."""
    part = message_from_bytes(head + b"\r\n\r\n")
    is_text = part.get_content_maintype() == "text" and part.get_content_charset() == "utf-8"
    return Text(body, str(part["Content-Transfer-Encoding"] or "").lower() if is_text else "")
