import hashlib
from email import message_from_bytes

import pytest
from django.core.mail import EmailMessage

from mail.content import builder
from mail.content.builder import InvalidMail
from mail.content.placeholders import ADDRESS, NAME
from tests.unit.mail.corpus import CORPUS, OLDER_PARTS
from tests.unit.mail.mails import notice, receipt


def build(email: EmailMessage) -> builder.Content:
    return builder.build(email, message_id="<1@moa.example>")


def test_the_digest_vouches_for_the_bytes_that_leave():
    built = build(receipt())

    assert built.sha256 == hashlib.sha256(built.mime).hexdigest()


def test_people_read_the_text_and_the_html():
    email = receipt(body="글")
    email.attach_alternative("<p>글</p>", "text/html")

    built = build(email)

    assert (built.subject, built.text, built.html) == ("영수증", "글", "<p>글</p>")


def test_a_mail_of_html_alone_has_no_text():
    email = receipt(body="<p>글</p>")
    email.content_subtype = "html"

    built = build(email)

    assert (built.text, built.html) == ("", "<p>글</p>")


def test_every_line_ends_with_crlf_and_none_is_too_long():
    built = build(receipt(body="가나다 " * 2000 + "\n\r\rend"))

    lines = built.mime.split(b"\r\n")
    assert max(len(line) for line in lines) <= 998
    assert not any(b"\r" in line or b"\n" in line for line in lines)


def test_the_sender_of_the_envelope_is_the_bare_address():
    built = build(receipt(from_email='"모아, 구독" <No-Reply@moa.example>'))

    assert built.envelope_from == "No-Reply@moa.example"


def test_a_from_header_is_what_people_see_and_the_envelope_stays():
    built = build(receipt(from_email="bounces@moa.example", headers={"From": "shop@moa.example"}))

    assert (built.sender, built.envelope_from) == ("shop@moa.example", "bounces@moa.example")


def test_without_a_sender_the_default_is_taken(settings):
    settings.DEFAULT_FROM_EMAIL = "기본 <default@moa.example>"

    built = build(receipt(from_email=None))

    assert built.envelope_from == "default@moa.example"


@pytest.mark.parametrize(
    "text", ["{{ settings.SECRET_KEY }}", "{name}", "%(name)s", "{% load x %}"]
)
def test_i12_text_of_callers_is_never_compiled(text: str):
    """I12: neither when a mail is built nor when a broadcast is filled."""
    email = notice(subject=text, body=text)
    email.attach_alternative(text, "text/html")

    plain, personal = build(receipt(subject=text, body=text)), builder.build_personal(email)

    assert plain.mime.count(text.encode()) == 2
    assert personal.mime.count(text.encode()) == 3
    assert (personal.subject, personal.text, personal.html) == (text, text, text)


def test_a_broadcast_is_built_without_recipient_and_with_an_empty_message_id():
    built = builder.build_personal(notice())

    names = [line.partition(b":")[0].lower() for line in built.mime.split(b"\r\n")]
    assert not {b"to", b"cc", b"bcc"} & set(names)
    assert built.mime.count(b"\r\nMessage-ID: <>\r\n") == 1
    assert built.message_id == ""


def test_people_see_where_the_name_goes():
    email = notice(subject=f"{NAME}님께", body=f"{NAME} <{ADDRESS}>")
    email.attach_alternative(f"<p>{NAME}</p>", "text/html")

    built = builder.build_personal(email)

    assert built.subject == "{name}님께"
    assert (built.text, built.html) == ("{name} <{address}>", "<p>{name}</p>")


def test_the_callers_mail_keeps_its_html():
    email = notice()
    email.attach_alternative(f"<p>{NAME}</p>", "text/html")

    builder.build_personal(email)

    assert email.alternatives[0][0] == f"<p>{NAME}</p>"


def test_different_attachments_have_different_digests():
    def digests(name: str, payload: bytes) -> list[str]:
        email = receipt()
        email.attach(name, payload, "application/pdf")
        return build(email).digests()

    assert digests("a.pdf", b"1") == digests("a.pdf", b"1")
    assert digests("a.pdf", b"1") != digests("a.pdf", b"2")


@OLDER_PARTS
@pytest.mark.parametrize("name", CORPUS)
def test_i7_the_digests_are_those_of_the_stored_mail(name: str):
    """I7: they are taken from the tree, but whoever holds the octets can take them again."""
    built = build(CORPUS[name]())

    leaves = [part for part in message_from_bytes(built.mime).walk() if not part.is_multipart()]
    payloads = [bytes(leaf.get_payload(decode=True) or b"") for leaf in leaves]
    assert built.digests()[1:] == [hashlib.sha256(payload).hexdigest() for payload in payloads]


def test_i7_an_attachment_without_a_name_counts_as_well():
    """I7: the fingerprint holds the digest of every attachment."""

    def digests(payload: bytes) -> list[str]:
        email = receipt()
        email.attach(None, payload, "application/octet-stream")
        return build(email).digests()

    assert digests(b"1") != digests(b"2")


def test_repeated_recipients_are_folded_in_the_callers_order():
    email = receipt("b@example.com", "a@example.com", cc=["b@EXAMPLE.com"], bcc=["c@example.com"])

    assert builder.recipients(email) == (["b@example.com", "a@example.com", "c@example.com"], 1)


def test_a_header_name_that_is_none_is_refused():
    with pytest.raises(InvalidMail, match="X Y"):
        build(receipt(headers={"X Y": "1"}))
