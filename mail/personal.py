"""Personal: a broadcast's content, filled for one recipient.

A caller writes the placeholders of the fixed list into subject and body, as the constants below.
They are marked by private-use characters, so no text that a person typed can pass for one, and
nothing is ever compiled as a template. A placeholder is found line by line in the stored bytes,
be the part sent as 8bit or as quoted-printable, and only its line is written anew.
"""

import email.quoprimime
import html
import quopri
import re
from email.header import Header, decode_header, make_header
from email.message import Message as MimeMessage

from django.core.mail.message import sanitize_address

OPEN, CLOSE = "\ue000", "\ue001"
NAME = f"{OPEN}name{CLOSE}"
ADDRESS = f"{OPEN}address{CLOSE}"

FIELDS = ("name", "address")
PLACEHOLDER = re.compile(f"{OPEN}([a-z:]+){CLOSE}")
PRIVATE_USE = re.compile(f"[{OPEN}{CLOSE}]")
OPEN_8BIT = OPEN.encode()
OPEN_QP = b"=EE=80=80"
LINE_LIMIT = 998  # octets without CRLF, RFC 5322 §2.1.1


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
        head, _, body = mime.partition(b"\r\n\r\n")
        self.subject = ""
        fields = re.split(rb"\r\n(?![ \t])", head)
        for number, field in enumerate(fields):
            if field.lower().startswith(b"subject:"):
                subject = str(make_header(decode_header(field[8:].decode("ascii").strip())))
                if OPEN in subject:
                    self.subject = subject
                    del fields[number]
                break
        self.head = b"\r\n".join(fields)
        self.pieces = list(_pieces(body))

    def fill(self, *, name: str, address: str, message_id: str) -> bytes:
        """The mail of one recipient, CRLF line ends.

        A line of a body that grows past 998 octets is broken at a space or, in one long word,
        between two characters (RFC 5322 §2.1.1).
        """
        values = _values(name, address)
        headers = MimeMessage()
        headers["To"] = sanitize_address((name, address), "utf-8")
        headers["Message-ID"] = message_id
        if self.subject:
            headers["Subject"] = Header(_replace(self.subject, values), "utf-8").encode()
        top = headers.as_bytes().rstrip(b"\n").replace(b"\n", b"\r\n")
        body = b"".join(
            piece if isinstance(piece, bytes) else piece.fill(values) for piece in self.pieces
        )
        return b"\r\n".join((top, self.head, b"", body))


class PersonalLine:
    """One line of a body that holds placeholders, and how its part is encoded."""

    def __init__(self, text: str, *, quoted: bool) -> None:
        self.text = text
        self.quoted = quoted

    def fill(self, values: dict[str, str]) -> bytes:
        line = _replace(self.text, values).encode()
        if self.quoted:
            return email.quoprimime.body_encode(line.decode("latin-1"), eol="\r\n").encode("ascii")
        return b"\r\n".join(_broken(line))


def _pieces(body: bytes) -> list[bytes | PersonalLine]:
    """The body in pieces: bytes that stay, and the lines that differ from person to person."""
    pieces: list[bytes | PersonalLine] = []
    lines = iter(body.split(b"\r\n"))
    for number, first in enumerate(lines):
        if number:
            pieces.append(b"\r\n")
        physical = [first]
        while physical[-1].endswith(b"="):
            following = next(lines, None)
            if following is None:
                break
            physical.append(following)
        unbroken = b"".join(line[:-1] for line in physical[:-1]) + physical[-1]
        if OPEN_8BIT in first and len(physical) == 1:
            pieces.append(PersonalLine(first.decode(), quoted=False))
        elif OPEN_QP in unbroken:
            pieces.append(PersonalLine(quopri.decodestring(unbroken).decode(), quoted=True))
        else:
            pieces.append(b"\r\n".join(physical))
    return pieces


def _values(name: str, address: str) -> dict[str, str]:
    plain = {"name": name, "address": address}
    return plain | {f"{field}:html": html.escape(value) for field, value in plain.items()}


def _replace(text: str, values: dict[str, str]) -> str:
    """Fill every placeholder once; what it is filled with is not looked at again."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1], ""), text)


def _broken(line: bytes) -> list[bytes]:
    lines = []
    while len(line) > LINE_LIMIT:
        at = line.rfind(b" ", 0, LINE_LIMIT)
        if at <= 0:
            at = LINE_LIMIT
            while line[at] & 0xC0 == 0x80:  # inside a UTF-8 character
                at -= 1
        lines.append(line[:at])
        line = line[at:].removeprefix(b" ")
    return [*lines, line]
