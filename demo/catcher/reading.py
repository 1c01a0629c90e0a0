"""Reading: a caught mail in readable form, parsed with the standard library."""

import base64
import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from email.parser import BytesHeaderParser
from html import unescape

CID = re.compile(r"cid:([^\"'\s)>]+)")
LINK = re.compile(r"""<a\s[^>]*?href=["'](https?://[^"']+)["']""", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The readable parts of a mail."""

    headers: list[tuple[str, str]]
    text: str
    html: str
    links: list[str]
    attachments: list[tuple[str, str, int]]
    """File name, content type, octets."""


def read(raw: bytes) -> Reading:
    """Read a mail as far as possible; a malformed part is shown as it is."""
    mail = message_from_bytes(raw, policy=policy.default)
    html = _body(mail, "html")
    return Reading(
        headers=_headers(raw),
        text=_body(mail, "plain"),
        html=_with_images(html, mail),
        links=list(dict.fromkeys(unescape(link) for link in LINK.findall(html))),
        attachments=[_attachment(part) for part in mail.iter_attachments()],
    )


def subject(raw: bytes) -> str:
    """The decoded Subject of a mail, or an empty string."""
    return next((text for name, text in _headers(raw) if name.lower() == "subject"), "")


def _headers(raw: bytes) -> list[tuple[str, str]]:
    mail = BytesHeaderParser(policy=policy.default).parsebytes(raw)
    return [(name, _decoded(mail, name, value)) for name, value in mail.raw_items()]


def _decoded(mail: EmailMessage, name: str, value: str) -> str:
    try:
        return str(mail.policy.header_fetch_parse(name, value))
    except (ValueError, LookupError, AttributeError, TypeError):  # the parser fails on some
        return value.encode("ascii", "replace").decode()


def _body(mail: EmailMessage, subtype: str) -> str:
    part = mail.get_body((subtype,))
    return _content(part) if part else ""


def _content(part: MIMEPart) -> str:
    try:
        return str(part.get_content())
    except (LookupError, ValueError):  # an unknown charset
        return bytes(part.get_payload(decode=True) or b"").decode("utf-8", "replace")


def _with_images(html: str, mail: EmailMessage) -> str:
    """The HTML with its inline images embedded, as it may load nothing (RFC 2392)."""
    images = {
        str(part["Content-ID"]).strip(" <>"): part
        for part in mail.walk()
        if part["Content-ID"] and part.get_content_maintype() == "image"
    }

    def image(match: re.Match[str]) -> str:
        part = images.get(match[1])
        if part is None:
            return match[0]
        data = base64.b64encode(bytes(part.get_payload(decode=True) or b"")).decode("ascii")
        return f"data:{part.get_content_type()};base64,{data}"

    return CID.sub(image, html)


def _attachment(part: MIMEPart) -> tuple[str, str, int]:
    payload = part.get_payload(decode=True)
    octets = len(payload) if isinstance(payload, bytes) else len(part.as_bytes())
    return part.get_filename() or "—", part.get_content_type(), octets
