"""Compose: from a template folder to the mail that an app hands to the outbox."""

import re
from collections.abc import Mapping, Sequence
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Any

import css_inline
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template import Context, Engine, TemplateDoesNotExist

from mail.content.builder import InvalidMail
from mail.content.mime import INSTALLED
from mail.content.placeholders import CLOSE, OPEN

NAME_LIMIT = 255
"""Characters of a display name. Escaped and beside an address, it fits a line (RFC 5322 §2.1.1)."""

ENCODED_WORD = re.compile(r"=\?[^?]*\?[bq]\?.*?\?=", re.IGNORECASE)
"""What a reader of the header would decode (RFC 2047 §2), so that a name could pose as another."""

CONTROL = re.compile(f"[\0-\x1f\x7f-\x9f\ud800-\udfff{OPEN}{CLOSE}]")
"""Control characters, halves of surrogate pairs, and the marks of placeholders."""

SPECIALS = re.compile(r"[()<>\[\]:;@\\,.\"]")
"""Characters for which a name needs quotes (RFC 5322 §3.2.3)."""

# Inlining a rendered page takes 0.08 ms, and rendering it 0.5 ms. Inlining its template once would
# not be safe: an HTML parser moves a {% for %} that stands between two rows out of the table.
INLINER = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)


def compose(
    folder: str,
    context: Mapping[str, Any],
    *,
    to: Sequence[str] = (),
    sender_name: str = "",
    reply_to: Sequence[str] = (),
) -> EmailMultiAlternatives:
    """Render the mail in a template folder, such as `payment/mail/receipt`.

    The folder holds `subject.txt`, `body.txt` and, if the mail has HTML, `body.html`, whose CSS is
    inlined. Only the HTML is escaped. `sender_name` stands on the operator's address
    (DEFAULT_FROM_EMAIL), because SPF, DKIM and DMARC vouch for that domain alone (RFC 7489 §3.1);
    without a name, the operator's own is used. `to` stays empty for a broadcast. The mail is
    marked as sent by a program (RFC 3834 §5).

    Raises InvalidMail for a name that no header can carry, and TemplateDoesNotExist.
    """
    email = EmailMultiAlternatives(
        subject=one_line(_text(f"{folder}/subject.txt", context)),
        body=_text(f"{folder}/body.txt", context).strip() + "\n",
        from_email=sender(sender_name),
        to=to,
        reply_to=reply_to,
        headers={"Auto-Submitted": "auto-generated"},
    )
    if html := _html(f"{folder}/body.html", context):
        email.attach_alternative(html, "text/html")
    return email


def mailbox(name: str, address: str) -> str:
    """A name and an address as one mailbox, `"Kim, Lee" <kim@example.com>` (RFC 5322 §3.4).

    White space in the name collapses. Raises InvalidMail for a name that no header can carry as
    it reads: too long, with control characters or placeholders, or posing as an encoded word.
    """
    name = one_line(name)
    if len(name) > NAME_LIMIT:
        raise InvalidMail(f"name: {len(name)} characters; the limit is {NAME_LIMIT}")
    if found := CONTROL.search(name):
        raise InvalidMail(f"name: the character U+{ord(found[0]):04X} cannot stand in a header")
    if ENCODED_WORD.search(name):
        raise InvalidMail(f"name: {name[:80]!r} would be decoded (RFC 2047 §2)")
    try:
        whole = str(Address(name, addr_spec=address))
    except (HeaderParseError, ValueError, IndexError):  # whichever the email package raises
        raise InvalidMail(f"address: {address[:80]!r} is not an address") from None
    if not INSTALLED.reads_back(name, address):
        raise InvalidMail(f"name: {name[:80]!r} is too long for this Python to quote it")
    return whole


def sender(name: str) -> str:
    """The operator's address under a name that `quotable` has made fit; alone without a name."""
    operator: str = settings.DEFAULT_FROM_EMAIL
    address = parseaddr(operator)[1]
    return mailbox(quotable(name, address), address) if name else operator


def quotable(name: str, address: str) -> str:
    """A name without what the installed Python cannot quote in it (see `mail.W005`)."""
    if CONTROL.search(name := one_line(name)) or INSTALLED.reads_back(name, address):
        return name  # which `mailbox` judges
    return one_line(SPECIALS.sub(" ", name))


def one_line(text: str) -> str:
    """The text with every run of white space, line breaks among it, as one space."""
    return " ".join(text.split())


def _text(template: str, context: Mapping[str, Any]) -> str:
    plain = Context(dict(context), autoescape=False)
    return str(Engine.get_default().get_template(template).render(plain))


def _html(template: str, context: Mapping[str, Any]) -> str:
    """The page with its CSS inlined, or nothing where the folder has none."""
    try:
        page = Engine.get_default().get_template(template)
    except TemplateDoesNotExist:
        return ""
    inlined: str = INLINER.inline(page.render(Context(dict(context))))
    return inlined
