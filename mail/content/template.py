"""A stored broadcast, compiled once and rendered for each recipient.

What is rendered is, octet for octet, what the installed Django would have sent had the mail been
written for this recipient alone.
"""

import html
import re
from collections.abc import Iterable, Iterator
from email import message_from_bytes
from functools import partial

from mail.content import headers
from mail.content.mime import INSTALLED
from mail.content.part import Part
from mail.content.placeholders import OPEN, Substitutions, substitute
from mail.content.text import Fragment

NO_MESSAGE_ID = b"Message-ID: <>"
"""Where the Message-ID of each recipient goes in the stored headers."""


class CompiledTemplate:
    """The stored octets of a broadcast, split where they differ from recipient to recipient."""

    def __init__(self, mime: bytes) -> None:
        first, *others = _split_at_boundaries(mime)
        parts = [Part(first, _with_recipient), *map(Part, others)]
        self.longest_value = min(part.text.longest_value for part in parts)
        self.fragments = _joined(fragment for part in parts for fragment in part.fragments())
        self.parts = _joined(
            part.render if part.text.is_personal or number == 0 else stored
            for number, (part, stored) in enumerate(zip(parts, [first, *others], strict=True))
        )

    def render(self, *, name: str, address: str, message_id: str) -> bytes:
        """The mail of one recipient, CRLF line ends.

        Raises ValueError for a name that no header can carry.
        """
        values = substitutions(name=name, address=address, message_id=message_id)
        fragments = self.fragments if self._are_plain(values) else self.parts
        return b"".join([one if isinstance(one, bytes) else one(values) for one in fragments])

    def _are_plain(self, values: Substitutions) -> bool:
        """Whether these values change nothing but their own places."""
        longest = max(len(values["name:html"].encode()), len(values["address:html"].encode()))
        return longest <= self.longest_value and values["name"].isprintable()


def substitutions(*, name: str, address: str, message_id: str) -> Substitutions:
    """The values for one recipient; those for HTML are escaped."""
    return {
        "name": name,
        "name:html": html.escape(name),
        "address": address,
        "address:html": html.escape(address),
        "message_id": message_id,
    }


def _with_recipient(stored: list[bytes]) -> Iterator[Fragment]:
    """The header fields of the mail, with those of its recipient where Django puts them."""
    for field in stored:
        name = field.partition(b":")[0].lower()
        if name == b"subject" and OPEN in (subject := INSTALLED.unfold(field)):
            yield partial(_subject_field, subject)
        elif field == NO_MESSAGE_ID:
            yield headers.message_id
        else:
            yield field
        if name == b"from":
            yield headers.to
    if NO_MESSAGE_ID not in stored:
        yield headers.message_id


def _joined(fragments: Iterable[Fragment]) -> list[Fragment]:
    """The same with adjacent octets joined, so that there are as few as possible."""
    joined: list[Fragment] = [b""]
    for fragment in fragments:
        if isinstance(fragment, bytes) and isinstance(joined[-1], bytes):
            joined[-1] += fragment
        else:
            joined.append(fragment)
    return joined


def _subject_field(text: str, values: Substitutions) -> bytes:
    return headers.subject(substitute(text, values))


def _split_at_boundaries(mime: bytes) -> list[bytes]:
    """The mail, split before and after each line that delimits its parts."""
    found = (part.get_boundary() for part in message_from_bytes(mime).walk())
    boundaries = [re.escape(one.encode("ascii")) for one in found if one]
    if not boundaries:
        return [mime]
    return re.split(rb"(\r\n--(?:%s)(?:--)?(?:\r\n|$))" % b"|".join(boundaries), mime)
