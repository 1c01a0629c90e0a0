"""From an EmailMessage to the octets that are stored and sent.

The MIME of a Message is built once, when it is recorded. That validates the mail, and makes it
equal what Django's own SMTP backend would send; the SHA-256 on record is taken of these octets.
A broadcast is built with placeholders, which `mail.content.template` fills for each recipient.
"""

import copy
import hashlib
import re
import secrets
from dataclasses import dataclass
from email.message import Message as MimeMessage
from email.utils import getaddresses
from functools import lru_cache
from typing import Any

from django.conf import settings as django_settings
from django.core.mail import EmailAlternative, EmailMessage, EmailMultiAlternatives

from mail.conf import settings
from mail.content.addresses import InvalidAddress, normalise
from mail.content.mime import INSTALLED
from mail.content.placeholders import for_html, for_people
from mail.content.validation import RECIPIENTS, InvalidMail, check, check_text, header_texts

__all__ = ["Content", "InvalidMail", "build", "build_personal", "envelope_sender", "recipients"]

LINE_END = re.compile(rb"\r\n|\r|\n")
HEADER_START = re.compile(rb"\r\n(?![ \t])")
LINE_LIMIT = 998  # octets without CRLF, RFC 5322 §2.1.1


@dataclass(frozen=True, kw_only=True)
class Content:
    """A mail as it is stored: its octets, what people read, and the tree it was built as."""

    tree: MimeMessage
    mime: bytes
    sha256: str
    message_id: str
    envelope_from: str
    sender: str
    subject: str
    text: str
    html: str

    def columns(self) -> dict[str, Any]:
        """What of it is stored, by the names of a Message's fields."""
        return {name: value for name, value in vars(self).items() if name != "tree"}

    def digests(self) -> list[str]:
        """What identifies the content: the subject, and a SHA-256 of each text and attachment."""
        leaves = (part for part in self.tree.walk() if not part.is_multipart())
        return [self.subject, *(hashlib.sha256(_payload(leaf)).hexdigest() for leaf in leaves)]


def build(email: EmailMessage, *, message_id: str) -> Content:
    """Build the MIME of a mail as Django's SMTP backend would send it.

    `message_id` is used unless the caller set a Message-ID header; empty, it stands for those of
    the recipients of a broadcast. Raises InvalidMail, and what Django raises for a mail it cannot
    build (ValueError, BadHeaderError among them).
    """
    check(email)
    email = copy.copy(email)
    given = {name.lower(): str(value) for name, value in email.extra_headers.items()}
    if "message-id" in given:
        message_id = given["message-id"]
    else:
        email.extra_headers = {"Message-ID": message_id or "<>", **email.extra_headers}
    tree = _tree(email)
    mime = _serialise(tree)
    text, html = _readable(email)
    return Content(
        tree=tree,
        mime=mime,
        sha256=hashlib.sha256(mime).hexdigest(),
        message_id=message_id,
        envelope_from=envelope_sender(email),
        sender=given.get("from", email.from_email),
        subject=for_people(str(email.subject)),
        text=for_people(text),
        html=for_people(html),
    )


def build_personal(email: EmailMessage) -> Content:
    """Build the MIME of a broadcast: no To, no Message-ID, placeholders where the caller put them.

    Raises InvalidMail when the mail names recipients, and whatever `build` raises.
    """
    if email.recipients():
        raise InvalidMail("to: a broadcast goes to its audience and names no recipients")
    if shared := {name.lower() for name in email.extra_headers} & {"to", "cc", "message-id"}:
        raise InvalidMail(f"headers: {min(shared)} differs from recipient to recipient")
    if str(email.encoding or "utf-8").lower() != "utf-8":
        raise InvalidMail("encoding: a broadcast, which holds names of any kind, is in UTF-8")
    email = copy.copy(email)
    if email.content_subtype == "html":
        email.body = for_html(str(email.body))
    if isinstance(email, EmailMultiAlternatives):
        alternatives = [EmailAlternative(*part) for part in email.alternatives]
        email.alternatives = [
            part._replace(content=for_html(str(part.content)))
            if part.mimetype == "text/html"
            else part
            for part in alternatives
        ]
    return build(email, message_id="")


def recipients(email: EmailMessage) -> tuple[list[str], int]:
    """The distinct envelope recipients in the caller's order, and how many repeats were folded.

    Raises InvalidMail for an entry that is not one address that mail can reach.
    """
    found: dict[str, None] = {}
    entries = [(field, entry) for field in RECIPIENTS for entry in getattr(email, field)]
    for field, entry in entries:
        found[_address(field, entry)] = None
    return list(found), len(entries) - len(found)


def envelope_sender(email: EmailMessage) -> str:
    """The address of MAIL FROM: the bare address of `from_email`, as Django's backend has it.

    Raises InvalidMail if it is not one address.
    """
    check_text("from", email.from_email)
    return _bare_address(email.from_email, str(email.encoding or django_settings.DEFAULT_CHARSET))


def _address(field: str, entry: str) -> str:
    pairs = getaddresses([entry])
    if len(pairs) > 1:
        raise InvalidMail(f"{field}: {entry[:80]!r} is more than one address")
    try:
        return normalise((pairs and pairs[0][1]) or entry)
    except InvalidAddress as error:
        raise InvalidMail(f"{field}: {error}") from None


def _tree(email: EmailMessage) -> MimeMessage:
    try:
        return INSTALLED.tree(email)
    except ValueError as error:
        broken = (field for field, text in header_texts(email) if len(text.splitlines()) > 1)
        field = next(broken, "")  # which Django names before 6.0 only
        if field.lower() in str(error).lower():
            raise
        raise InvalidMail(f"{field}: {error}") from error


def _serialise(tree: MimeMessage) -> bytes:
    _name_boundaries(tree)
    mime = INSTALLED.octets(tree)
    if len(mime) > settings.MAIL_CONTENT_LIMIT:
        raise InvalidMail(
            f"mail: {len(mime):,} octets; the limit is {settings.MAIL_CONTENT_LIMIT:,}"
        )
    for field in HEADER_START.split(mime.partition(b"\r\n\r\n")[0]):
        longest = max(map(len, field.split(b"\r\n")))
        if longest > LINE_LIMIT:
            name = field.partition(b":")[0].decode("ascii", "replace")
            raise InvalidMail(f"{name}: a line of {longest:,} octets; the limit is {LINE_LIMIT}")
    return mime


def _name_boundaries(tree: MimeMessage) -> None:
    """Give each multipart a boundary of the form the email package uses.

    Left to itself, that package searches the whole content for one that does not occur in it.
    """
    for part in tree.walk():
        has_parts = part.get_content_maintype() == "multipart" and part.is_multipart()
        if has_parts and part.get_boundary() is None:
            part.set_boundary(f"{'=' * 15}{secrets.randbelow(10**19):019}==")


def _payload(leaf: MimeMessage) -> bytes:
    """The decoded content of a part, the lines of a text with the ends that they have in a mail."""
    payload = leaf.get_payload(decode=True)
    octets = payload if isinstance(payload, bytes) else b""
    is_binary = str(leaf["Content-Transfer-Encoding"] or "").lower() == "base64"
    return octets if is_binary else LINE_END.sub(b"\r\n", octets)


@lru_cache(maxsize=1000)
def _bare_address(sender: str, encoding: str) -> str:
    try:
        address = INSTALLED.bare_address(sender, encoding)
    except ValueError as error:
        raise InvalidMail(f"from: {error}") from error
    if "@" not in address:
        raise InvalidMail(f"from: {sender[:80]!r} is not an address")
    return address


def _readable(email: EmailMessage) -> tuple[str, str]:
    body = str(email.body)
    if email.content_subtype == "html":
        return "", body
    alternatives = getattr(email, "alternatives", [])
    html = next((str(part.content) for part in alternatives if part.mimetype == "text/html"), "")
    return body, html
