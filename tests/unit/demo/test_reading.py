from email.message import EmailMessage

import pytest

from demo.catcher import reading


def mail(**headers: str) -> EmailMessage:
    made = EmailMessage()
    for name, value in headers.items():
        made[name] = value
    return made


def test_text_and_html_are_told_apart():
    made = mail(Subject="약관 변경")
    made.set_content("안녕하세요\n")
    made.add_alternative("<p>안녕하세요</p>\n", subtype="html")

    said = reading.read(bytes(made))

    assert (said.text, said.html) == ("안녕하세요\n", "<p>안녕하세요</p>\n")


def test_a_mail_without_html_has_none():
    made = mail()
    made.set_content("안녕하세요\n")

    assert reading.read(bytes(made)).html == ""


def test_headers_are_shown_decoded_and_in_order():
    made = mail(From="모아 구독 <no-reply@moa.example>", To="a@x.example", Subject="약관 변경")
    made.set_content("x")

    headers = reading.read(bytes(made)).headers

    assert headers[:3] == [
        ("From", "모아 구독 <no-reply@moa.example>"),
        ("To", "a@x.example"),
        ("Subject", "약관 변경"),
    ]


def test_inline_images_are_put_into_the_html():
    made = mail()
    made.set_content("<img src='cid:logo'><img src='cid:unknown'>", subtype="html")
    made.add_related(b"PNG", "image", "png", cid="<logo>")

    html = reading.read(bytes(made)).html

    assert "<img src='data:image/png;base64,UE5H'>" in html
    assert "cid:unknown" in html


def test_attachments_are_listed_with_their_size():
    made = mail()
    made.set_content("x")
    made.add_attachment(b"a,b\n", maintype="text", subtype="csv", filename="내역.csv")

    assert reading.read(bytes(made)).attachments == [("내역.csv", "text/csv", 4)]


def test_links_are_listed_once_and_unescaped():
    made = mail()
    link = '<a class="x" href="https://moa.example/terms/1?a=1&amp;b=2">전문</a>'
    made.set_content(link + link + '<a href="mailto:x@moa.example">x</a>', subtype="html")

    assert reading.read(bytes(made)).links == ["https://moa.example/terms/1?a=1&b=2"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"no header at all",
        b"Subject: =?x-unknown?b?////?=\r\n\r\nx",
        b"Subject: x\r\nContent-Type: text/plain; charset=nonsense\r\n\r\n\xff\xfe",
        b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n",
        b"Content-Type: multipart/mixed\r\n\r\nx",
        b"To: =?utf-8?q?=FF?= <@,>\r\nDate: never\r\nMessage-ID: <<\r\n\r\nx",
        b"Content-Transfer-Encoding: base64\r\nContent-Type: text/html\r\n\r\n!!!!",
        b"Subject: \xff\xfe 8-bit\r\n\r\nx",
        b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nx",
    ],
)
def test_whatever_came_can_be_shown(raw):
    assert isinstance(reading.read(raw), reading.Reading)
    assert isinstance(reading.subject(raw), str)
