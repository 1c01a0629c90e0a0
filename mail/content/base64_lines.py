"""Base64 of a text that differs from recipient to recipient only at its placeholders.

A line of base64 holds 57 octets, so a value shifts everything after it. The constant text between
two placeholders can be shifted in 57 ways only; each is encoded once.
"""

from binascii import b2a_base64
from functools import lru_cache

from mail.content.placeholders import PLACEHOLDER, Substitutions

OCTETS = 57
"""Octets in a line: what 76 characters hold, the most that RFC 2045 §6.8 allows."""
CACHED = 100_000
"""Octets of a text whose encoded forms are kept: together they take 76 times its size."""


class Base64Lines:
    """A text with placeholders and CRLF line ends."""

    def __init__(self, text: str) -> None:
        first, *others = PLACEHOLDER.split(text)
        self.fields = others[::2]
        self.constant = [first.encode(), *(following.encode() for following in others[1::2])]
        size = sum(map(len, self.constant))
        self._shifted = lru_cache(None if size <= CACHED else 0)(self._encode_shifted)

    def encode(self, values: Substitutions) -> bytes:
        """The text of one recipient in base64, CRLF line ends."""
        lines: list[bytes] = []
        rest = self._append(lines, b"", 0)
        for number, field in enumerate(self.fields, start=1):
            rest = self._append(lines, rest + values.get(field, "").encode(), number)
        lines.append(_encoded(rest))
        return b"".join(lines)

    def _append(self, lines: list[bytes], before: bytes, number: int) -> bytes:
        """Add the full lines of `before` and a constant; return what is left of the two."""
        constant, missing = self.constant[number], -len(before) % OCTETS
        if missing <= len(constant):
            following, left = self._shifted(number, missing)
            lines += [_encoded(before + constant[:missing]), following]
            return left
        left = before + constant
        full = len(left) - len(left) % OCTETS
        lines.append(_encoded(left[:full]))
        return left[full:]

    def _encode_shifted(self, number: int, start: int) -> tuple[bytes, bytes]:
        """The full lines of a constant from its octet `start` on, and what is left of it."""
        constant = self.constant[number][start:]
        full = len(constant) - len(constant) % OCTETS
        return _encoded(constant[:full]), constant[full:]


def _encoded(octets: bytes) -> bytes:
    lines = (octets[start : start + OCTETS] for start in range(0, len(octets), OCTETS))
    return b"".join(b2a_base64(line, newline=False) + b"\r\n" for line in lines)
