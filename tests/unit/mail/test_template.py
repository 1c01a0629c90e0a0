"""One recipient's copy of a broadcast: exactly the name and the address, nothing else (I12)."""

import base64
import html
import re
from email import message_from_bytes
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import Message
from email.utils import getaddresses, parseaddr

import django
import pytest
from django.core.mail import EmailMultiAlternatives
from django.core.mail.message import sanitize_address
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from mail.content import builder
from mail.content.mime import INSTALLED
from mail.content.placeholders import ADDRESS, NAME
from mail.content.template import CompiledTemplate, substitutions
from mail.content.text import Text
from tests.unit.mail.mails import notice

PLAIN = {"name": "김철수", "address": "kim@example.com", "message_id": "<1.2@moa.example>"}

# Whatever a person may be called: no control characters, no halves of pairs.
NAMES = st.text(
    st.one_of(
        st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")),
        st.sampled_from("<>&\"'=?,;:@.()[]\\ _{}%가나다\ue000\ue001"),
    ),
    max_size=80,
).map(lambda name: " ".join(name.split()))

LONG_NAMES = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=400
).map(lambda name: " ".join(name.split()))


def compiled(**fields) -> CompiledTemplate:
    return CompiledTemplate(builder.build_personal(notice(**fields)).mime)


def fill(made: CompiledTemplate, **values) -> Message:
    return message_from_bytes(made.render(**PLAIN | values))


def header(mail: Message, name: str) -> str:
    """A header as a mail program shows it."""
    (value,) = mail.get_all(name)
    return str(make_header(decode_header(value.replace("\r\n", "").replace("\n", ""))))


def recipient(mail: Message) -> tuple[str, str]:
    (value,) = mail.get_all("To")
    name, address = parseaddr(value.replace("\r\n", "").replace("\n", ""))
    return str(make_header(decode_header(name))), address


def text(mail: Message, subtype: str = "plain") -> str:
    """The text of one part, with LF line ends."""
    part = next(one for one in mail.walk() if one.get_content_type() == f"text/{subtype}")
    return part.get_payload(decode=True).decode().replace("\r\n", "\n")


SHORT = f"안녕하세요 {NAME}님,\n{ADDRESS} 앞으로 보냅니다.\n변함없는 줄\n"
LONG = SHORT + "긴 줄 " * 400 + "\n"  # Django sends it as quoted-printable, since 6.0 as base64

MADE = {
    body: compiled(subject=f"[모아] {NAME}님께 = {ADDRESS}", body=body) for body in (SHORT, LONG)
}


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(name=NAMES, local=st.from_regex(r"[a-z0-9][a-z0-9+'=_-]{0,30}", fullmatch=True))
@pytest.mark.parametrize("body", [SHORT, LONG], ids=["unencoded", "encoded"])
def test_each_recipient_reads_exactly_their_name_and_address(body: str, name: str, local: str):
    address = f"{local}@example.com"

    mail = fill(MADE[body], name=name, address=address)

    def filled(template: str) -> str:
        return address.join(part.replace(NAME, name) for part in template.split(ADDRESS))

    assert recipient(mail) == (name, address)
    assert header(mail, "Subject") == filled(f"[모아] {NAME}님께 = {ADDRESS}")
    assert text(mail) == filled(body)


WITH_HTML = notice(body=SHORT)
WITH_HTML.attach_alternative(f'<p title="{NAME}">{NAME} &lt;{ADDRESS}&gt;</p>', "text/html")
HTML = CompiledTemplate(builder.build_personal(WITH_HTML).mime)


@settings(max_examples=100, deadline=None)
@given(name=NAMES)
def test_what_fills_html_is_escaped_and_what_fills_text_is_not(name: str):
    mail = fill(HTML, name=name)

    safe = html.escape(name)
    page = f'<p title="{safe}">{safe} &lt;{PLAIN["address"]}&gt;</p>'
    assert text(mail, "html").removesuffix("\n") == page
    assert f"안녕하세요 {name}님," in text(mail)


def test_a_broadcast_of_html_alone_is_escaped_as_well():
    email = notice(body=f"<p>{NAME}</p>")
    email.content_subtype = "html"

    mail = fill(CompiledTemplate(builder.build_personal(email).mime), name="<b>&")

    assert text(mail, "html").removesuffix("\n") == "<p>&lt;b&gt;&amp;</p>"


CONTENTS = {
    "Korean": {"body": SHORT},
    "English": {"subject": "Terms", "body": f"Dear {NAME},\nyour address is {ADDRESS}.\n"},
    "a long line": {"body": LONG},
    "a line at the limit": {"body": f"{'x' * (INSTALLED.longest_line - 38)} {NAME}\n끝"},
    "Korean lines": {"body": f"{NAME}님, {'긴 줄 ' * 40}\n" * 3 + f"{'끝 ' * 99}{ADDRESS}"},
    "a long letter": {"body": f"Dear {NAME},\n" + "a long line " * 99 + f"\n{ADDRESS}" * 12},
    "no line end at the end": {"body": f"안녕하세요 {NAME} "},
    "in the subject": {"subject": f"[모아] {NAME}님께 = {ADDRESS}", "body": SHORT},
    "an English subject": {"subject": f"{NAME}, the terms change", "body": "Hello\n"},
    "nothing of one's own": {"body": "모두에게\n"},
}
HTML_BODIES = {
    "": "",
    " with HTML": f'<p title="{NAME}">{NAME} &lt;{ADDRESS}&gt;</p>\n<p>한 줄</p>',
    " with HTML in one line": f"<p>{NAME}</p>" + "<td>조항</td>" * 200,
}


def written(body: str, page: str, **fields) -> EmailMultiAlternatives:
    email = notice(body=body, **fields)
    email.extra_headers["Date"] = "Wed, 25 Nov 2026 10:00:00 +0900"
    if page:
        email.attach_alternative(page, "text/html")
    return email


def by_the_email_package(
    fields: dict[str, str], page: str, name: str, address: str, message_id: str
) -> bytes:
    """The mail as it would be built for this recipient alone."""

    def filled(text: str, name: str, address: str) -> str:
        return address.join(part.replace(NAME, name) for part in text.split(ADDRESS))

    email = written(
        page=filled(page, html.escape(name), html.escape(address)),
        **{field: filled(text, name, address) for field, text in fields.items()},
    )
    email.to = [mailbox(name, address)]
    return builder.build(email, message_id=message_id).mime


def mailbox(name: str, address: str) -> str:
    """One mailbox in the form in which this Django takes it in `to`."""
    if django.VERSION >= (6, 0):
        return str(Address(name, addr_spec=address))
    return sanitize_address((name, address), "utf-8").replace("\n", "")


def without_boundaries(mime: bytes) -> bytes:
    return re.sub(rb"={15}\d+==", b"boundary", mime)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    name=st.one_of(NAMES, LONG_NAMES),
    local=st.from_regex(r"[a-z0-9][a-z0-9.'=_-]{0,50}[a-z]", fullmatch=True),
    number=st.integers(1, 10**12),
)
@pytest.mark.parametrize("page", HTML_BODIES.values(), ids=HTML_BODIES)
@pytest.mark.parametrize("fields", CONTENTS.values(), ids=CONTENTS)
def test_every_octet_is_what_the_email_package_makes_of_it(fields, page, name, local, number):
    """`--hypothesis-show-statistics` tells how many of these names are plain."""
    address = f"{local.replace('..', '.')}@example.com"
    assume(INSTALLED.reads_back(name, address))  # where not, Moa is better on purpose
    message_id = f"<3f0c2f6e-8d7a-4b5e-9c1d-2a3b4c5d6e7f.{number}@mail.moa.example>"
    made = CompiledTemplate(builder.build_personal(written(page=page, **fields)).mime)
    values = {"name": name, "address": address, "message_id": message_id}
    event("plain" if made._are_plain(substitutions(**values)) else "by the email package")

    assert without_boundaries(made.render(**values)) == without_boundaries(
        by_the_email_package(fields, page, **values)
    )


def test_the_lines_of_a_quoted_printable_part_without_a_name_stay_byte_for_byte():
    body = f"Dear {NAME},\n{'a long line ' * 100}\n변함없는 줄\n"
    mime = builder.build_personal(notice(body=body)).mime
    unchanged = mime[mime.index("".join(f"={octet:02X}" for octet in "변".encode()).encode()) :]

    filled = CompiledTemplate(mime).render(**PLAIN)

    assert filled.endswith(b"\r\n" + unchanged)


def test_a_broadcast_without_placeholders_differs_in_to_and_message_id_only():
    built = builder.build_personal(notice())

    filled = CompiledTemplate(built.mime).render(**PLAIN)

    to = b"To: =?utf-8?b?6rmA7LKg7IiY?= <kim@example.com>\r\n"
    assert filled.count(to) == 1
    own = filled.replace(to, b"").replace(b"Message-ID: <1.2@moa.example>", b"Message-ID: <>")
    assert own == built.mime


@pytest.mark.parametrize(
    "typed", ["{{ x }}", "{name}", "{address}", "%(name)s", "{% load x %}", "{0}"]
)
def test_i12_what_looks_like_a_placeholder_stays_as_it_is(typed: str):
    """I12: placeholders come from a fixed list and no typed text passes for one."""
    made = compiled(subject=f"{typed} {NAME}", body=f"{typed} {NAME}\n")

    mail = fill(made)

    assert header(mail, "Subject") == f"{typed} 김철수"
    assert text(mail) == f"{typed} 김철수\n"


@pytest.mark.parametrize("name", [NAME, ADDRESS, f"{ADDRESS}{NAME}", "\ue000name:html\ue001"])
def test_i12_a_name_that_holds_a_placeholder_is_not_filled_again(name: str):
    """I12: a recipient's name is never searched for placeholders."""
    mail = fill(compiled(subject=f"{NAME}!", body=f"{NAME}!\n"), name=name)

    assert header(mail, "Subject") == f"{name}!"
    assert text(mail) == f"{name}!\n"


@pytest.mark.parametrize("name", ["Kim\r\nBcc: x@evil.example", "Kim\nX: y", "Kim\rX: y", "Kim\0"])
def test_a_name_adds_no_header(name: str):
    """Either it is refused or it stays inside To."""
    try:
        mail = fill(compiled(subject=f"{NAME}!", body="글\n"), name=name)
    except ValueError:
        return

    assert set(mail.keys()) == set(fill(compiled(), name="Kim").keys())


@pytest.mark.parametrize("name", ["가" * 200, "x" * 200, "가 나 " * 60, "\U0001f389" * 100])
@pytest.mark.parametrize("body", [SHORT, LONG], ids=["unencoded", "encoded"])
def test_a_long_name_is_whole_in_the_headers(name: str, body: str):
    name = name.strip()

    mail = fill(MADE[body], name=name)

    assert recipient(mail) == (name, PLAIN["address"])
    assert header(mail, "Subject").startswith(f"[모아] {name}님께")


@pytest.mark.parametrize("name", ["boss@evil.example, " * 5 + "Kim", '"Kim", ' * 20 + "Lee"])
def test_a_long_name_with_commas_poses_as_nobody_else(name: str):
    mail = fill(compiled(), name=name)

    addresses = getaddresses([mail["To"].replace("\r\n", "")])
    assert [address for _, address in addresses] == [PLAIN["address"]]
    assert recipient(mail) == (name, PLAIN["address"])


@pytest.mark.parametrize("line", ["가나다 " * 90, "x" * 900, "가" * 300], ids=["words", "x", "가"])
@pytest.mark.parametrize("name", ["나" * 200, "y" * 200, "다 라 " * 40])
def test_no_line_grows_past_998_octets_and_no_character_is_cut(line: str, name: str):
    """RFC 5322 §2.1.1: a line that grows too long is broken at a space or between characters."""
    made = compiled(body=f"{line}{NAME}{NAME}\n끝\n")

    filled = made.render(**PLAIN | {"name": name})

    assert max(len(one) for one in filled.split(b"\r\n")) <= 998
    shown = text(message_from_bytes(filled))
    assert "".join(shown.split()) == "".join(f"{line}{name}{name}끝".split())


STORED = f"{NAME}님, {'아주 긴 줄입니다. ' * 40}\r\n{ADDRESS}\r\n"
STORED_HEAD = (
    'Content-Type: text/plain; charset="utf-8"\r\n'
    "Content-Transfer-Encoding: {}\r\n"
    "MIME-Version: 1.0\r\n"
    "Subject: =?utf-8?b?7JWI64K0?=\r\n"
    "From: shop@moa.example\r\n"
    "Message-ID: <>\r\n\r\n"
)


@pytest.mark.parametrize("name", ["김철수", "Kim", "김 Kim", "가" * 90, "Kim\u200d"])
@pytest.mark.parametrize(
    ("encoding", "body"),
    [("8bit", STORED.encode()), ("base64", base64.encodebytes(STORED.encode()))],
    ids=["by 5.2", "by 6.1"],
)
def test_what_another_django_stored_is_rendered(encoding: str, body: bytes, name: str):
    stored = STORED_HEAD.format(encoding).encode() + body.replace(b"\r\n", b"\n").replace(
        b"\n", b"\r\n"
    )

    mail = fill(CompiledTemplate(stored), name=name)

    assert recipient(mail) == (name, PLAIN["address"])
    expected = STORED.replace(NAME, name).replace(ADDRESS, PLAIN["address"])
    assert text(mail) == expected.replace("\r\n", "\n")


def test_filling_the_same_again_gives_the_same_bytes():
    made = MADE[LONG]

    assert made.render(**PLAIN) == made.render(**PLAIN)


def test_attachments_of_a_broadcast_arrive_as_they_were():
    email = notice(body=SHORT)
    email.attach("약관.pdf", bytes(range(256)) * 20, "application/pdf")
    email.attach("terms.txt", f"제1조 {NAME}\n", "text/plain")

    mail = fill(CompiledTemplate(builder.build_personal(email).mime))

    payloads = {part.get_content_type(): part.get_payload(decode=True) for part in mail.walk()}
    assert payloads["application/pdf"] == bytes(range(256)) * 20


def test_only_odd_values_are_left_to_the_email_package(monkeypatch: pytest.MonkeyPatch):
    """Those that make a line too long to be sent unencoded, and those that cannot be printed."""
    encoded: list[str] = []
    encode = Text.encode

    def noted(self: Text, values: dict[str, str]) -> tuple[str, bytes]:
        encoded.append(values["name"])
        return encode(self, values)

    monkeypatch.setattr(Text, "encode", noted)
    made = compiled(body=f"{'x' * (INSTALLED.longest_line - 40)} {NAME}\n{NAME}\n")
    names = ["김철수", "Kim", "O'Neil & Söhne", "가" * 12, "나" * 14, "Kim\u200d"]

    for name in names:
        made.render(**PLAIN | {"name": name})

    assert encoded == ["나" * 14, "Kim\u200d"]
