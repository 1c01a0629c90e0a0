"""Mails of every shape a Django project sends, for the comparison with Django's own backend."""

from collections.abc import Callable
from email.message import MIMEPart
from email.mime.image import MIMEImage
from email.mime.text import MIMEText

import django
import pytest
from django.core.mail import EmailMessage, EmailMultiAlternatives

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154"
    "08d763f8ffff3f0005fe02fea7352e0e0000000049454e44ae426082"
)
CALENDAR = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"

Make = Callable[[], EmailMessage]
OLDER_PARTS = pytest.mark.filterwarnings("ignore:MIMEBase attachments are deprecated")
"""For tests that make these mails: some have parts of the email package's older classes."""

CORPUS: dict[str, Make] = {}


def mail(make: Make) -> Make:
    """Put a mail into the corpus under the name of its function."""
    CORPUS[make.__name__] = make
    return make


def plain(**fields) -> EmailMultiAlternatives:
    return EmailMultiAlternatives(
        **{
            "subject": "hello",
            "body": "Some text.\n",
            "from_email": "shop@moa.example",
            "to": ["kim@example.com"],
            **fields,
        }
    )


@mail
def ascii_text():
    return EmailMessage("hello", "Some text.", "shop@moa.example", ["kim@example.com"])


@mail
def korean_text():
    return plain(subject="약관 변경 안내", body="안녕하세요.\n약관이 바뀝니다.\n")


@mail
def korean_names():
    return plain(from_email="모아 구독 <shop@moa.example>", to=["김철수 <kim@example.com>"])


@mail
def quoted_names():
    return plain(
        from_email='"Moa, Inc." <shop@moa.example>', to=['"Kim ""K"" Lee" <kim@example.com>']
    )


@mail
def international_domain():
    return plain(to=["Bücher <kim@bücher.example>"])


@mail
def copies():
    return plain(
        to=["a@example.com", "b@example.com"],
        cc=["C <c@example.com>", "d@example.com"],
        bcc=["secret@example.com"],
    )


@mail
def only_blind_copies():
    return plain(to=[], bcc=["a@example.com", "b@example.com"])


@mail
def only_copies():
    return plain(to=[], cc=["c@example.com"])


@mail
def many_recipients():
    return plain(to=[f"이름 {number} <user{number}@example.com>" for number in range(120)])


@mail
def reply_to_several():
    return plain(reply_to=["판매자 <seller@example.com>", "desk@example.com"])


@mail
def extra_headers():
    return plain(
        headers={
            "X-Shop": "moa",
            "X-Korean": "가나다 라마바",
            "List-Id": "<terms.moa.example>",
            "Auto-Submitted": "auto-generated",
            "References": "<a@moa.example> <b@moa.example>",
        }
    )


@mail
def headers_instead_of_fields():
    return plain(
        from_email="bounces@moa.example",
        reply_to=["field@example.com"],
        headers={
            "From": "모아 <shop@moa.example>",
            "To": "everybody <all@example.com>",
            "Reply-To": "header@example.com",
        },
    )


@mail
def own_date_and_message_id():
    return plain(
        headers={"Date": "Mon, 01 Jan 2024 00:00:00 +0900", "Message-ID": "<own@moa.example>"}
    )


@mail
def headers_in_other_cases():
    return plain(
        headers={"message-id": "<lower@moa.example>", "date": "Mon, 01 Jan 2024 00:00:00 +0900"}
    )


@mail
def long_header():
    return plain(headers={"X-Long": " ".join(["word"] * 200)})


@mail
def long_subject():
    return plain(subject="아주 긴 제목입니다 " * 20)


@mail
def long_ascii_subject():
    return plain(subject="a rather long subject " * 12)


@mail
def html_alternative():
    email = plain(subject="약관", body="글")
    email.attach_alternative("<p>글 <b>굵게</b></p>", "text/html")
    return email


@mail
def html_only():
    email = plain(body="<p>글</p>")
    email.content_subtype = "html"
    return email


@mail
def several_alternatives():
    email = plain()
    email.attach_alternative("<p>html</p>", "text/html")
    email.attach_alternative("*markdown*", "text/markdown")
    return email


@mail
def calendar_alternative():
    email = plain(body="초대")
    email.attach_alternative("<p>초대</p>", "text/html")
    email.attach_alternative(CALENDAR, 'text/calendar; method="REQUEST"')
    return email


@mail
def calendar_attachment():
    email = plain()
    email.attach("invite.ics", CALENDAR, "text/calendar")
    return email


@mail
def empty_body():
    return plain(body="")


@mail
def empty_body_with_html():
    email = plain(body="")
    email.attach_alternative("<p>only html</p>", "text/html")
    return email


@mail
def empty_subject():
    return plain(subject="")


@mail
def pdf_attachment():
    email = plain()
    email.attach("receipt.pdf", b"%PDF-1.4\n" + bytes(range(256)) * 40, "application/pdf")
    return email


@mail
def korean_file_name():
    email = plain()
    email.attach("영수증 2026.pdf", b"%PDF-1.4", "application/pdf")
    return email


@mail
def text_attachment():
    email = plain()
    email.attach("terms.txt", "제1조\n제2조\n", "text/plain")
    return email


@mail
def text_attachment_in_another_charset():
    email = plain()
    email.attach("cp949.txt", "제1조".encode("cp949"), "text/plain")
    return email


@mail
def guessed_attachment():
    email = plain()
    email.attach("table.csv", "a,b\n1,2\n")
    return email


@mail
def unnamed_attachment():
    email = plain()
    email.attach(None, b"\x00\x01\x02", "application/octet-stream")
    return email


@mail
def empty_attachment():
    email = plain()
    email.attach("empty.bin", b"", "application/octet-stream")
    return email


@mail
def inline_image():
    """An image as a part of the older classes, which Django 6.1 still takes."""
    email = plain(body="그림")
    email.attach_alternative('<img src="cid:logo">', "text/html")
    image = MIMEImage(PIXEL)
    image.add_header("Content-ID", "<logo>")
    image.add_header("Content-Disposition", "inline", filename="logo.png")
    email.attach(image)
    return email


def related_alternative():
    """Django 5.2 alone has `mixed_subtype`."""
    email = plain(body="그림")
    email.mixed_subtype = "related"
    email.attach_alternative('<img src="cid:logo">', "text/html")
    image = MIMEImage(PIXEL)
    image.add_header("Content-ID", "<logo>")
    email.attach(image)
    return email


def modern_parts():
    """Django 6 takes parts of the newer classes."""
    email = plain(body="그림")
    email.attach_alternative('<img src="cid:logo">', "text/html")
    image, text = MIMEPart(), MIMEPart()
    image.set_content(PIXEL, "image", "png", disposition="inline", cid="<logo>")
    text.set_content("제1조\n" * 40, filename="약관.txt")
    email.attach(image)
    email.attach(text)
    return email


mail(modern_parts if django.VERSION >= (6, 0) else related_alternative)


@mail
def mime_part():
    email = plain()
    part = MIMEText("a part of its own", "x-shop", "us-ascii")
    part.add_header("Content-Disposition", "attachment", filename="part.x")
    email.attach(part)
    return email


@mail
def forwarded_message():
    email = plain()
    email.attach("forwarded.eml", korean_text().message(), "message/rfc822")
    return email


@mail
def forwarded_email_message():
    email = plain()
    inner = html_alternative()
    inner.attach("receipt.pdf", b"%PDF-1.4", "application/pdf")
    email.attach(None, inner, "message/rfc822")
    return email


@mail
def long_lines():
    return plain(body="가나다라 " * 600 + "\n" + "x" * 3000 + "\nshort\n")


@mail
def long_html_lines():
    email = plain()
    email.attach_alternative("<p>" + "글자 " * 1000 + "</p>", "text/html")
    return email


@mail
def lines_with_dots():
    return plain(body=".\n..\n.hidden\n\n.\nend\n.")


@mail
def lines_like_headers():
    return plain(body="From me to you\nFrom: x\nBcc: y\n\nFrom again\n")


@mail
def carriage_returns():
    return plain(body="one\r\ntwo\rthree\nfour\r\n\r\n")


@mail
def trailing_spaces():
    return plain(body="two spaces  \ntab\t\n=3D is not an equals sign = \n")


@mail
def no_final_line_end():
    return plain(body="no line end")


@mail
def emoji():
    return plain(subject="🎉 축하 👨‍👩‍👧", body="👍🏽 é ﷽ \u200d\n")


@mail
def latin_1():
    email = plain(subject="Café", body="Café déjà vu\n")
    email.encoding = "iso-8859-1"
    return email


@mail
def korean_charset():
    email = plain(subject="약관", body="약관이 바뀝니다.\n")
    email.encoding = "euc-kr"
    return email


@mail
def placeholders_of_others():
    return plain(
        subject="{name} {{ x }} %s", body="{{ settings.SECRET_KEY }} {name} %(x)s {% load x %}"
    )


@mail
def everything():
    email = plain(
        subject="모두 다 📎",
        body="글\n" * 50,
        from_email="모아 구독 <shop@moa.example>",
        to=["김 <a@example.com>", "b@example.com"],
        cc=["c@example.com"],
        bcc=["d@example.com"],
        reply_to=["판매자 <seller@example.com>"],
        headers={"X-Shop": "모아"},
    )
    email.attach_alternative("<h1>글</h1>", "text/html")
    email.attach("영수증.pdf", b"%PDF" * 1000, "application/pdf")
    email.attach("terms.txt", "제1조\n", "text/plain")
    email.attach("forwarded.eml", html_only().message(), "message/rfc822")
    return email
