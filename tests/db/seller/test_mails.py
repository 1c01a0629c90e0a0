"""The notice of a change: what the law asks for is in it, and nothing that people could abuse."""

import re
from datetime import timedelta
from email import message_from_bytes, policy
from html.parser import HTMLParser

import pytest
from django.contrib.auth.models import User
from django.core.mail import EmailMultiAlternatives
from pytest_django import Settings

from mail import outbox
from mail.content import builder
from mail.content.template import CompiledTemplate
from seller import mails, services
from seller.calendar import today
from seller.models import Product, Seller, Terms
from tests.db.seller.conftest import in_days, make_draft

HOSTILE = (
    "</td></table><script>alert(1)</script><img src=x onerror=alert(1)>{{ name }}{% now 'Y' %}"
)


def korean(day) -> str:
    return f"{day.year}년 {day.month}월 {day.day}일"


def html_of(mail: EmailMultiAlternatives) -> str:
    [alternative] = mail.alternatives
    assert alternative.mimetype == "text/html"
    return str(alternative.content)


def words(html: str) -> str:
    """What a person reads of an HTML text."""
    read: list[str] = []
    parser = HTMLParser()
    parser.handle_data = read.append  # type: ignore[method-assign]
    parser.feed(re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL))
    return " ".join("".join(read).split())


@pytest.mark.parametrize("part", ["text", "html"])
def test_the_notice_says_what_the_law_asks_for(draft: Terms, part: str) -> None:
    mail = mails.terms_changed(draft)

    said = words(html_of(mail)) if part == "html" else " ".join(mail.body.split())

    eve = korean(draft.effective_on - timedelta(days=1))
    for fact in (
        "아침 우유",  # the product
        "이용약관 (제1판에서 제2판으로)",  # which terms
        "원유 가격이 올랐습니다.",  # the reason
        korean(draft.effective_on),  # the day
        "일반 변경",
        "신구조문 대비표",  # before and after
        "9,900원입니다",
        "12,900원입니다",
        "제3조 (통지) · 신설" if part == "text" else "제3조 (통지) 신설",
        "제3조 (환불) · 삭제" if part == "text" else "제3조 (환불) 삭제",
        f"{eve}까지 이 메일에 회신",  # how and until when to object
        "해지하실 수도 있습니다",  # or to cancel
        f"{eve}까지 거부 의사를 밝히지 않으시면 바뀐 약관에 동의하신 것으로 봅니다.",  # silence
        "모아 농장 · 대표 김모아",  # whom to ask
        "사업자등록번호 123-45-67890",
        "02-123-4567",
        "help@farm.example",
        "서울시 중구 모아로 1",
    ):
        assert fact in said


def test_an_unfavourable_change_is_called_so(product: Product) -> None:
    draft = make_draft(product, is_unfavourable=True, effective_on=in_days(30))

    mail = mails.terms_changed(draft)

    assert "이용자에게 불리하거나 중요한 변경" in mail.body
    assert "이용자에게 불리하거나 중요한 변경" in html_of(mail)


def test_a_shorter_notice_leaves_the_full_time_to_object(product: Product) -> None:
    draft = make_draft(product, effective_on=in_days(1), is_unfavourable=True)

    assert mails.object_until(draft) == today() + timedelta(days=29)


def test_the_subject_names_seller_product_and_day(draft: Terms) -> None:
    subject = mails.terms_changed(draft).subject

    assert subject == f"[모아 농장] 아침 우유 약관 변경 안내 ({korean(draft.effective_on)} 시행)"


def test_the_notice_is_no_advertising(draft: Terms) -> None:
    mail = mails.terms_changed(draft)

    assert "(광고)" not in f"{mail.subject}{mail.body}{html_of(mail)}"
    assert "List-Unsubscribe" not in mail.extra_headers
    assert mail.extra_headers["Auto-Submitted"] == "auto-generated"


def test_the_operator_sends_in_the_name_of_the_seller(draft: Terms, settings: Settings) -> None:
    settings.DEFAULT_FROM_EMAIL = "모아 구독 <no-reply@moa.example>"
    draft.product.seller.name = '농장 "초록", 주식회사'

    built = builder.build_personal(mails.terms_changed(draft))

    parsed = message_from_bytes(built.mime, policy=policy.default)
    [sender], [answers] = parsed["From"].addresses, parsed["Reply-To"].addresses
    assert (sender.display_name, sender.addr_spec) == (
        '농장 "초록", 주식회사',
        "no-reply@moa.example",
    )
    assert answers.addr_spec == "help@farm.example"
    assert built.envelope_from == "no-reply@moa.example"


def test_name_and_address_are_filled_for_each_recipient(draft: Terms) -> None:
    built = builder.build_personal(mails.terms_changed(draft))

    mime = CompiledTemplate(built.mime).render(
        name="<b>김&구독</b>", address="kim@example.com", message_id="<1@moa.example>"
    )

    parsed = message_from_bytes(mime, policy=policy.default)
    text = parsed.get_body(("plain",)).get_content()
    html = parsed.get_body(("html",)).get_content()
    assert "<b>김&구독</b>님, 안녕하세요." in text
    assert "&lt;b&gt;김&amp;구독&lt;/b&gt;님, 안녕하세요." in html
    assert "kim@example.com" in text
    assert "kim@example.com" in html
    assert "\ue000" not in text + html


def test_hostile_text_is_shown_and_never_run(product: Product) -> None:
    """I12: callers' text is never compiled as a template."""
    seller = product.seller
    Seller.objects.update(name=HOSTILE[:100], representative=HOSTILE[:100], address=HOSTILE[:100])
    Product.objects.update(name=HOSTILE[:100])
    draft = make_draft(
        Product.objects.get(),
        title=HOSTILE,
        reason=HOSTILE,
        body=f"제1조({HOSTILE[:20]}) {HOSTILE}",
    )
    seller.refresh_from_db()

    mail = mails.terms_changed(draft)

    html = html_of(mail)
    assert "<script" not in html
    assert "<img" not in html
    assert html.count("</table>") == html.count("<table")
    assert HOSTILE in words(html)
    assert HOSTILE in mail.body
    assert "&lt;" not in mail.body  # plain text is not escaped


def test_the_html_stands_without_anything_from_outside(draft: Terms) -> None:
    html = html_of(mails.terms_changed(draft))

    assert not re.search(r"(src|href)=[\"']?(https?:)?//", html)
    assert not re.search(r"url\(|@import|<link", html)
    assert 'style="' in html  # inlined, for clients that drop <style>
    assert "@media (max-width: 600px)" in html
    assert "prefers-color-scheme: dark" in html


def test_without_a_public_page_no_link_is_made_up(draft: Terms) -> None:
    assert "전문 보기" not in mails.terms_changed(draft).body


@pytest.mark.urls("seller.urls")
def test_both_full_texts_are_linked_where_they_are_public(
    draft: Terms, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://moa.example/"

    mail = mails.terms_changed(draft)

    for version in (draft, draft.previous):
        assert f"https://moa.example/terms/{version.pk}/" in mail.body
        assert f'href="https://moa.example/terms/{version.pk}/"' in html_of(mail)


@pytest.mark.urls("seller.urls")
def test_the_public_page_shows_published_versions_only(draft: Terms, client) -> None:
    draft.product.terms.published()

    page = client.get(f"/terms/{draft.previous.pk}/")

    assert page.status_code == 200
    assert draft.previous.body.splitlines()[0] in page.content.decode()
    assert draft.previous.sha256 in page.content.decode()
    assert client.get(f"/terms/{draft.pk}/").status_code == 404


def test_a_first_version_has_no_notice(product: Product) -> None:
    with pytest.raises(mails.NothingChanged):
        mails.terms_changed(product.terms.get())


def test_a_change_of_nothing_but_the_reason_says_so(product: Product) -> None:
    draft = make_draft(product, body=product.terms.get().body)

    mail = mails.terms_changed(draft)

    assert "조항의 문구는 바뀌지 않았습니다." in mail.body
    assert "조항의 문구는 바뀌지 않았습니다." in html_of(mail)


def test_the_longest_terms_still_make_a_mail(product: Product, admin: User) -> None:
    articles = "\n".join(f"제{n}조(조항 {n}) {'가나다라마 ' * 80}" for n in range(1, 200))
    assert len(articles) < 100_000

    published = services.publish_terms(terms=make_draft(product, body=articles), by=admin)

    assert published.message.mime
    assert outbox.NAME not in published.message.text
