"""What outbox.send refuses: at the call, naming the field, and before any write."""

import django
import pytest
from django.core.mail import EmailMessage
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mail import outbox
from mail.content.builder import InvalidMail
from tests.unit.mail.mails import RECEIPT, receipt

LONG = "x" * 64 + "@" + ".".join(["y" * 60] * 4) + ".example"

REFUSED = [
    # what, the mail, the field that the error names
    ("LF in the subject", {"subject": "a\nBcc: x@evil.example"}, "subject"),
    ("CRLF in the subject", {"subject": "a\r\nBcc: x@evil.example"}, "subject"),
    ("CR in the subject", {"subject": "a\rb"}, "subject"),
    ("LF in the sender", {"from_email": "a\nBcc: x@evil.example <a@moa.example>"}, "from"),
    ("LF in a recipient's name", {"to": ["Kim\nBcc: x@evil.example <kim@example.com>"]}, "to"),
    ("LF in an address", {"to": ["kim@example.com\nBcc: x@evil.example"]}, "to"),
    ("LF in a copy's address", {"cc": ["kim@example.com\nX: y"]}, "cc"),
    ("LF in Reply-To", {"reply_to": ["kim@example.com\nX: y"]}, "reply-to"),
    ("CRLF in a header's name", {"headers": {"X-A: b\r\nBcc": "x@evil.example"}}, "headers"),
    ("colon in a header's name", {"headers": {"X-A:": "b"}}, "headers"),
    ("empty header name", {"headers": {"": "b"}}, "headers"),
    ("non-ASCII header name", {"headers": {"X-가": "b"}}, "headers"),
    ("LF in a header", {"headers": {"X-A": "b\nBcc: x@evil.example"}}, "x-a"),
    ("Bcc as a header", {"headers": {"bCC": "x@evil.example"}}, "bcc"),
    ("NUL in the subject", {"subject": "a\0b"}, "subject"),
    ("NUL in a Korean subject", {"subject": "가\0나"}, "subject"),
    ("NUL in the text", {"body": "a\0b"}, "text"),
    ("NUL in a long text", {"body": "가" * 1000 + "\0"}, "text"),
    ("lone surrogate in the subject", {"subject": "a\ud800"}, "subject"),
    ("lone surrogate in the text", {"body": "a\udfff"}, "text"),
    ("NUL in the sender's name", {"from_email": "M\0oa <a@moa.example>"}, "from"),
    ("NUL in a recipient's name", {"to": ["K\0im <kim@example.com>"]}, "to"),
    ("NUL in a header", {"headers": {"X-A": "a\0b"}}, "x-a"),
    ("NUL in a Korean header", {"headers": {"X-A": "가\0나"}}, "x-a"),
    ("lone surrogate in the sender's name", {"from_email": "M\ud800 <a@moa.example>"}, "from"),
    ("lone surrogate in a recipient's name", {"to": ["K\ud800 <kim@example.com>"]}, "to"),
    ("lone surrogate in a header", {"headers": {"X-A": "a\udfff"}}, "x-a"),
    ("two addresses in one", {"to": ["c@example.com, e@example.org"]}, "to"),
    ("two addresses in one copy", {"cc": ["C <c@example.com>, E <e@example.org>"]}, "cc"),
    ("percent routing", {"to": ["a%evil.example@example.com"]}, "to"),
    ("bang routing", {"to": ["evil.example!a@example.com"]}, "to"),
    ("address literal", {"to": ["a@[127.0.0.1]"]}, "to"),
    ("single-label domain", {"to": ["a@localhost"]}, "to"),
    ("no domain", {"to": ["a"]}, "to"),
    ("empty address", {"to": [""]}, "to"),
    ("non-ASCII local part", {"to": ["김@example.com"]}, "to"),
    ("local part of 65 characters", {"to": ["x" * 65 + "@example.com"]}, "to"),
    ("address of over 254 characters", {"to": [LONG]}, "to"),
    ("quoted local part", {"to": ['"a b"@example.com']}, "to"),
    ("space in an address", {"to": ["a b@example.com"]}, "to"),
    ("no recipients", {"to": []}, "to"),
]

if django.VERSION < (6, 0):  # later ones send it as encoded words
    REFUSED.append(("subject of 3,000 characters", {"subject": "x" * 3000}, "subject"))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "field"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_bad_input_is_refused_with_the_field_named(fields: dict, field: str):
    with CaptureQueriesContext(connection) as queries, pytest.raises(ValueError) as refusal:  # noqa: PT011
        outbox.send(receipt(**fields), kind=RECEIPT)

    assert field in str(refusal.value).lower()
    assert not queries.captured_queries


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["to", "cc", "bcc"])
def test_a_bad_address_is_quoted_in_the_refusal(field: str):
    with pytest.raises(InvalidMail, match="a@localhost"):
        outbox.send(receipt(**{field: ["a@localhost"]}), kind=RECEIPT)


@pytest.mark.django_db
def test_a_mail_above_the_limit_is_refused_with_the_limit_named(settings):
    settings.MAIL_CONTENT_LIMIT = 2000

    with pytest.raises(InvalidMail, match="2,000"):
        outbox.send(receipt(body="x\n" * 2000), kind=RECEIPT)


@pytest.mark.django_db
def test_no_sender_at_all_is_refused():
    with pytest.raises(ValueError, match=r"(?i)from"):
        outbox.send(receipt(from_email="not an address"), kind=RECEIPT)


@pytest.mark.django_db
def test_a_newline_at_the_end_of_an_address_is_stripped():
    """faults: Django's EmailField strips it silently; so does the envelope."""
    email = EmailMessage("s", "b", "shop@moa.example", [" kim@example.com "])

    message = outbox.send(email, kind=RECEIPT)

    assert message.deliveries.get().address == "kim@example.com"


@pytest.mark.django_db
@pytest.mark.parametrize("body", ["a\r.\rb", "a\n.\nb", "a\r\n.\r\nb", "a\r\n.\nb", "a\n.\rb"])
def test_smuggled_line_ends_are_stored_normalised(body: str):
    message = outbox.send(receipt(body=body), kind=RECEIPT)

    mime = bytes(message.mime)
    assert mime.replace(b"\r\n", b"").count(b"\r") == 0
    assert mime.replace(b"\r\n", b"").count(b"\n") == 0
    assert mime.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") == b"a\r\n.\r\nb"
