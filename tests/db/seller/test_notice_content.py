"""The notice of a change, part by part, as it is stored in `expected/`.

A wanted change of a template is written there by hand, so that a reviewer reads the whole mail.
"""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from pytest_django import Settings

from mail.content.placeholders import for_people
from seller import mails, services
from seller.models import Product, Seller, Terms

EXPECTED = Path(__file__).parent / "expected"
BEFORE = """제1조(목적) 이 약관은 구독에 관한 권리와 의무를 정합니다.
제2조(요금) 월 요금은 9,900원입니다. <b>부가세</b> & 배송비를 포함합니다.
제3조(환불) 결제일부터 7일 이내에 환불합니다.
"""
AFTER = """제1조(목적) 이 약관은 구독에 관한 권리와 의무를 정합니다.
제2조(요금) 월 요금은 12,900원입니다. <b>부가세</b> & 배송비를 포함합니다.
제4조(통지) 바뀐 내용은 30일 전에 알립니다.
"""


@pytest.fixture
def draft(seller: Seller, make_product: Callable[..., Product], settings: Settings) -> Terms:
    settings.DEFAULT_FROM_EMAIL = "모아 구독 <no-reply@moa.example>"
    return services.draft_terms(
        product=make_product(seller, body=BEFORE),
        title="이용약관",
        body=AFTER,
        reason="원유 가격이 <올랐습니다>.\n2099년에도 그렇습니다.",
        effective_on=date(2099, 3, 1),  # so that no period of notice ends later
    )


def test_every_part_is_as_expected(draft: Terms) -> None:
    mail = mails.terms_changed(draft)

    [html] = mail.alternatives
    said = {"subject.txt": mail.subject, "body.txt": mail.body, "body.html": html.content}
    for name, content in said.items():
        written = (EXPECTED / "terms_changed" / name).read_bytes().decode()
        assert for_people(str(content)) == written, name


def test_the_fields_of_its_header_are_as_expected(draft: Terms) -> None:
    draft.product.seller.name = '농장 "초록", 주식회사'

    mail = mails.terms_changed(draft)

    assert mail.from_email == '"농장 \\"초록\\", 주식회사" <no-reply@moa.example>'
    assert mail.reply_to == ['"농장 \\"초록\\", 주식회사" <help@farm.example>']
    assert mail.extra_headers == {"Auto-Submitted": "auto-generated"}
    assert mail.recipients() == []
