"""Composing: the mail from a template folder, and which names a header can contain."""

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import getaddresses
from typing import Any

import pytest
from django.template import TemplateDoesNotExist
from hypothesis import example, given
from hypothesis import settings as profile
from hypothesis import strategies as st
from pytest_django import Settings

from mail import outbox
from mail.content import builder
from mail.content.builder import InvalidMail
from mail.content.compose import NAME_LIMIT, compose, mailbox, one_line
from mail.content.template import CompiledTemplate

ADDRESS = "no-reply@moa.example"
FOLDER = {
    "hi/subject.txt": "Hello\n {{ who }},\n welcome\n",
    "hi/body.txt": "\n\nDear {{ who }},\nwelcome.\n\n\n",
    "hi/body.html": """<style>p { color: red } @media print { p { color: black } }</style>
        <p>{{ who }} <a href="mailto:{{ address }}">{{ address }}</a></p>""",
    "plain/subject.txt": "s",
    "plain/body.txt": "b",
    "broken/subject.txt": "s",
    "broken/body.txt": "b",
    "broken/body.html": "{% include 'nowhere.html' %}",
    "half/subject.txt": "s",
}


@pytest.fixture(autouse=True)
def folders(settings: Settings) -> None:
    loaders = [("django.template.loaders.locmem.Loader", FOLDER)]
    settings.TEMPLATES = [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"loaders": loaders},
        }
    ]
    settings.DEFAULT_FROM_EMAIL = f"모아 구독 <{ADDRESS}>"


def html_of(email: Any) -> str:
    [part] = email.alternatives
    assert part.mimetype == "text/html"
    return str(part.content)


def test_a_folder_becomes_a_mail():
    email = compose("hi", {"who": "Kim"}, to=["kim@example.com"], reply_to=["help@moa.example"])

    assert email.subject == "Hello Kim, welcome"
    assert email.body == "Dear Kim,\nwelcome.\n"
    assert email.to == ["kim@example.com"]
    assert email.reply_to == ["help@moa.example"]
    assert email.from_email == f"모아 구독 <{ADDRESS}>"
    assert email.extra_headers == {"Auto-Submitted": "auto-generated"}


def test_the_css_is_inlined_and_what_cannot_be_stays_in_its_style_element():
    html = html_of(compose("hi", {"who": "Kim"}))

    assert '<p style="color: red;">' in html
    assert "@media print" in html


def test_html_is_escaped_and_text_is_not():
    email = compose("hi", {"who": "<b>Kim & {{ who }}"})

    assert email.subject == "Hello <b>Kim & {{ who }}, welcome"
    assert "Dear <b>Kim & {{ who }},\n" in email.body
    assert "&lt;b&gt;Kim &amp; {{ who }}" in html_of(email)


def test_a_folder_without_html_makes_a_mail_without_html():
    assert compose("plain", {}).alternatives == []


@pytest.mark.parametrize("folder", ["nowhere", "half", "broken"])
def test_a_template_that_is_missing_is_reported(folder: str):
    with pytest.raises(TemplateDoesNotExist):
        compose(folder, {})


def test_a_recipients_own_words_go_where_their_placeholders_stand():
    email = compose("hi", {"who": outbox.NAME, "address": outbox.ADDRESS})

    mime = CompiledTemplate(builder.build_personal(email).mime).render(
        name="<김>", address="kim@example.com", message_id="<1@moa.example>"
    )

    parsed = message_from_bytes(mime, policy=policy.default)
    html = parsed.get_body(("html",)).get_content()
    assert parsed["Subject"] == "Hello <김>, welcome"
    assert "Dear <김>," in parsed.get_body(("plain",)).get_content()
    assert '&lt;김&gt; <a href="mailto:kim@example.com">kim@example.com</a>' in html


def test_the_name_of_a_sender_stands_on_the_operators_address():
    email = compose("plain", {}, to=["kim@example.com"], sender_name='농장 "초록", 주식회사')

    mime = builder.build(email, message_id="<1@moa.example>").mime

    [sender] = message_from_bytes(mime, policy=policy.default)["From"].addresses
    assert sender.display_name == '농장 "초록", 주식회사'
    assert sender.addr_spec == ADDRESS


def test_line_breaks_of_a_name_become_spaces():
    assert mailbox(" two\r\nlines:\tBcc ", ADDRESS) == f'"two lines: Bcc" <{ADDRESS}>'


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("x" * 256, "256 characters"),
        ("a\0b", r"U\+0000"),
        ("a\x07b", r"U\+0007"),
        ("a\x9fb", r"U\+009F"),
        ("\ud800", r"U\+D800"),
        (outbox.NAME, r"U\+E000"),
        ("=?utf-8?b?QmFuaw==?=", "decoded"),
    ],
)
def test_a_name_that_no_header_can_carry_is_refused(name: str, why: str):
    with pytest.raises(InvalidMail, match=why):
        compose("plain", {}, sender_name=name)


@pytest.mark.parametrize("address", ["", "nobody", "a b@moa.example", "a@b@c", "a\n@b.kr"])
def test_an_address_that_is_none_is_refused(address: str):
    with pytest.raises(InvalidMail, match="address"):
        mailbox("Kim", address)


@given(name=st.text(max_size=NAME_LIMIT))
@example(name='"')
@example(name="\\")
@example(name="a,b;c:d<e>f@g")
@example(name="x" * NAME_LIMIT)
@example(name='"' * NAME_LIMIT)
@example(name="가" * NAME_LIMIT)
@example(name="(comment)")
@profile(deadline=None)
def test_any_name_is_read_back_as_it_was_or_refused(name: str):
    try:
        sender = mailbox(name, ADDRESS)
    except InvalidMail:
        return

    email = compose("plain", {}, to=["kim@example.com"], reply_to=[sender])
    mime = builder.build(email, message_id="<1@moa.example>").mime

    header = message_from_bytes(mime)  # the newer policy keeps the spaces between encoded words
    [(read, address)] = getaddresses([header["Reply-To"]])
    assert address == ADDRESS
    assert str(make_header(decode_header(one_line(read)))) == one_line(name)
