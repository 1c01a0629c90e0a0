"""Personal: a broadcast's content, filled for one recipient.

What comes out is, octet for octet, what the email package would have made of the mail with this
recipient's words in it. The MIME is built once, cut where those words go, and put together anew
for each.
"""

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.header import decode_header, make_header
from functools import partial

from mail.content import headers
from mail.content.part import Fill, Part, Pieces, is_personal
from mail.content.placeholders import OPEN, Words, filled, words

NO_MESSAGE_ID = b"Message-ID: <>"
"""Where the Message-ID of each recipient goes in the stored headers."""


class Skeleton:
    """The stored bytes of a broadcast, cut where a recipient's own words go."""

    def __init__(self, mime: bytes) -> None:
        first, *others = _at_boundaries(mime)
        cut: list[Part | bytes] = [Part(first, _with_recipient)]
        cut += [Part(one) if is_personal(one) else one for one in others]
        self.pieces: list[bytes | Fill] = [
            one if isinstance(one, bytes) else one.fill for one in cut
        ]
        self.plain = _joined(
            piece for one in cut for piece in ([one] if isinstance(one, bytes) else one.plain())
        )
        self.room = min(one.text.room for one in cut if isinstance(one, Part))

    def fill(self, *, name: str, address: str, message_id: str) -> bytes:
        """The mail of one recipient, CRLF line ends.

        Raises ValueError for a name that no header can carry.
        """
        own = words(name=name, address=address, message_id=message_id)
        pieces = self.plain if self._is_plain(own) else self.pieces
        return b"".join([one if isinstance(one, bytes) else one(own) for one in pieces])

    def _is_plain(self, own: Words) -> bool:
        """Whether these words change nothing but their own places."""
        longest = max(len(own["name:html"].encode()), len(own["address:html"].encode()))
        return longest <= self.room and own["name"].isprintable()


def _with_recipient(stored: list[bytes]) -> Iterator[bytes | Fill]:
    """The fields of the mail itself, with those of its recipient where Django puts them."""
    for field in stored:
        name = field.partition(b":")[0].lower()
        if name == b"subject" and OPEN in (subject := _decoded_subject(field)):
            yield partial(_subject_field, subject)
        elif field == NO_MESSAGE_ID:
            yield _message_id_field
        else:
            yield field
        if name == b"from":
            yield _to_field
    if NO_MESSAGE_ID not in stored:
        yield _message_id_field


def _joined(pieces: Pieces) -> list[bytes | Fill]:
    """The same, with what stands for everybody in as few pieces as possible."""
    joined: list[bytes | Fill] = [b""]
    for piece in pieces:
        if isinstance(piece, bytes) and isinstance(joined[-1], bytes):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def _to_field(own: Words) -> bytes:
    return headers.to(own["name"], own["address"])


def _message_id_field(own: Words) -> bytes:
    return headers.message_id(own["message_id"])


def _subject_field(text: str, own: Words) -> bytes:
    return headers.subject(filled(text, own))


def _at_boundaries(mime: bytes) -> list[bytes]:
    """The mail cut before and after each line that stands between its parts."""
    found = (part.get_boundary() for part in message_from_bytes(mime).walk())
    boundaries = [re.escape(one.encode("ascii")) for one in found if one]
    if not boundaries:
        return [mime]
    return re.split(rb"(\r\n--(?:%s)(?:--)?(?:\r\n|$))" % b"|".join(boundaries), mime)


def _decoded_subject(field: bytes) -> str:
    return str(make_header(decode_header(field.partition(b":")[2].decode("ascii").strip())))
