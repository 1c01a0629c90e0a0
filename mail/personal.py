"""Personal: a broadcast's content, filled for one recipient.

A caller writes the placeholders of the fixed list into subject and body, as the constants below.
They are marked by private-use characters, so no text that a person typed can pass for one, and
nothing is ever compiled as a template.

What comes out is, octet for octet, what the email package would have made of the mail with this
recipient's words in it. The MIME is built once, cut where those words go, and put together anew
for each. Where they would change more than their own place (a line grows past 998 octets, so that
the part is sent as quoted-printable), that part takes the long way through the email package.
"""

import email.quoprimime
import html
import quopri
import re
from collections.abc import Callable, Iterable, Iterator
from email import message_from_bytes
from email.header import decode_header, make_header
from functools import partial

from django.core.mail.message import SafeMIMEText

from mail import fields

OPEN, CLOSE = "\ue000", "\ue001"
NAME = f"{OPEN}name{CLOSE}"
ADDRESS = f"{OPEN}address{CLOSE}"

FIELDS = ("name", "address")
PLACEHOLDER = re.compile(f"{OPEN}([a-z:]+){CLOSE}")
PRIVATE_USE = re.compile(f"[{OPEN}{CLOSE}]")
LINE_LIMIT = 998  # octets without CRLF, RFC 5322 §2.1.1

NO_MESSAGE_ID = b"Message-ID: <>"
"""Where the Message-ID of each recipient goes in the stored headers."""

NEXT_FIELD = re.compile(rb"\r\n(?![ \t])")
ENCODING = re.compile(rb"(?i)content-transfer-encoding: *(\S+)")

Values = dict[str, str]
"""What fills each placeholder."""

Fill = Callable[[Values], bytes]


def for_html(text: str) -> str:
    """Mark the placeholders of an HTML body, so that what fills them is escaped."""
    for field in FIELDS:
        text = text.replace(f"{OPEN}{field}{CLOSE}", f"{OPEN}{field}:html{CLOSE}")
    return text


def for_people(text: str) -> str:
    """Show the placeholders as {name} and {address}."""
    return PRIVATE_USE.sub(
        lambda match: "{" if match[0] == OPEN else "}", text.replace(f":html{CLOSE}", CLOSE)
    )


class Skeleton:
    """The stored bytes of a broadcast, cut where a recipient's own words go."""

    def __init__(self, mime: bytes) -> None:
        first, *others = _at_boundaries(mime)
        self.pieces: list[bytes | Part] = [Part(first, _with_recipient)]
        self.pieces += [Part(one) if _is_personal(one) else one for one in others]

    def fill(self, *, name: str, address: str, message_id: str) -> bytes:
        """The mail of one recipient, CRLF line ends.

        Raises ValueError for a name that no header can carry.
        """
        values = {
            "name": name,
            "name:html": html.escape(name),
            "address": address,
            "address:html": html.escape(address),
            "message_id": message_id,
        }
        return b"".join(
            piece if isinstance(piece, bytes) else piece.fill(values) for piece in self.pieces
        )


class Part:
    """One part of the mail, or the whole of it: header fields, and a text if it has one."""

    def __init__(
        self, stored: bytes, complete: Callable[[list[bytes]], Iterable[bytes | Fill]] = list
    ) -> None:
        head, self.blank, body = stored.partition(b"\r\n\r\n")
        self.text = Text(body, _encoding(head))
        self.head = _joined(
            _encoding_field if isinstance(field, bytes) and ENCODING.match(field) else field
            for field in complete(NEXT_FIELD.split(head))
        )

    def fill(self, values: Values) -> bytes:
        encoding, body = self.text.fill(values)
        own = values | {"encoding": encoding}
        head = (field if isinstance(field, bytes) else field(own) for field in self.head)
        return b"\r\n".join(head) + self.blank + body


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

    def fill(self, values: Values) -> tuple[str, bytes]:
        """The encoding for this recipient, and the encoded text."""
        if not self.personal:
            return self.encoding, self.constant[0]
        lines = [_replace(line, values) for line in self.personal]
        is_long = self.has_long_line or any(map(_is_long, lines))
        if is_long != self.is_quoted or not values["name"].isprintable():
            return self.fill_the_long_way(values)
        body = self.constant[0]
        for line, constant in zip(lines, self.constant[1:], strict=True):
            body += self._encoded(line) + constant
        if self.is_quoted:
            return self.encoding, body
        return "7bit" if body.isascii() else "8bit", body

    def fill_the_long_way(self, values: Values) -> tuple[str, bytes]:
        """The same by the email package, which chooses the encoding."""
        text = _replace(self.text, values).replace("\r\n", "\n")
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
                self.constant[-1] += self._encoded(line)
                self.has_long_line |= _is_long(line)

    def _encoded(self, line: str) -> bytes:
        octets = line.encode()
        if not self.is_quoted:
            return octets
        quoted = email.quoprimime.body_encode(octets.decode("latin-1"), eol="\r\n")
        return quoted.encode("ascii")


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


def _joined(head: Iterable[bytes | Fill]) -> list[bytes | Fill]:
    """The fields of a head, those that are the same for everybody in one piece."""
    pieces: list[bytes | Fill] = []
    for field in head:
        if isinstance(field, bytes) and pieces and isinstance(pieces[-1], bytes):
            pieces[-1] += b"\r\n" + field
        else:
            pieces.append(field)
    return pieces


def _to_field(values: Values) -> bytes:
    return fields.to(values["name"], values["address"])


def _message_id_field(values: Values) -> bytes:
    return fields.message_id(values["message_id"])


def _encoding_field(values: Values) -> bytes:
    return f"Content-Transfer-Encoding: {values['encoding']}".encode("ascii")


def _subject_field(text: str, values: Values) -> bytes:
    return fields.subject(_replace(text, values))


def _replace(text: str, values: Values) -> str:
    """Fill every placeholder once; what it is filled with is not looked at again."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1], ""), text)


def _is_long(line: str) -> bool:
    """Whether the email package finds a line here that is longer than 8bit may have."""
    return 4 * len(line) > LINE_LIMIT and any(
        len(one.encode()) > LINE_LIMIT for one in line.splitlines()
    )


def _at_boundaries(mime: bytes) -> list[bytes]:
    """The mail cut before and after each line that stands between its parts."""
    found = (part.get_boundary() for part in message_from_bytes(mime).walk())
    boundaries = [re.escape(one.encode("ascii")) for one in found if one]
    if not boundaries:
        return [mime]
    return re.split(rb"(\r\n--(?:%s)(?:--)?(?:\r\n|$))" % b"|".join(boundaries), mime)


def _is_personal(stored: bytes) -> bool:
    head, _, body = stored.partition(b"\r\n\r\n")
    return OPEN in _decoded(body, _encoding(head))


def _encoding(head: bytes) -> str:
    found = ENCODING.search(head)
    return found[1].decode("ascii").lower() if found else ""


def _decoded(body: bytes, encoding: str) -> str:
    """A text as it was written; nothing for a part that is none."""
    if encoding == "quoted-printable":
        return quopri.decodestring(body).decode(errors="replace")
    return body.decode(errors="replace") if encoding in ("7bit", "8bit") else ""


def _decoded_subject(field: bytes) -> str:
    return str(make_header(decode_header(field.partition(b":")[2].decode("ascii").strip())))
