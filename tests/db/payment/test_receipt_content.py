"""The receipt, part by part, as it is stored in `expected/`.

A wanted change of a template is written there by hand, so that a reviewer reads the whole mail.
"""

from pathlib import Path

import pytest
from pytest_django import Settings

from payment import mails
from payment.models import Payment

EXPECTED = Path(__file__).parent / "expected"


@pytest.fixture
def receipt_of(paid: Payment, settings: Settings) -> Payment:
    settings.DEFAULT_FROM_EMAIL = "모아 구독 <no-reply@moa.example>"
    paid.buyer_name = "홍<길동> & 가족"
    return paid


def test_every_part_is_as_expected(receipt_of: Payment) -> None:
    mail = mails.receipt(receipt_of)

    [html] = mail.alternatives
    said = {"subject.txt": mail.subject, "body.txt": mail.body, "body.html": html.content}
    for name, content in said.items():
        assert str(content) == (EXPECTED / "receipt" / name).read_bytes().decode(), name


def test_the_fields_of_its_header_are_as_expected(receipt_of: Payment) -> None:
    receipt_of.product.seller.name = '커피 "달빛", 주식회사'

    mail = mails.receipt(receipt_of)

    assert mail.from_email == '"커피 \\"달빛\\", 주식회사" <no-reply@moa.example>'
    assert mail.reply_to == ["help@moonlight.example"]
    assert mail.to == ["buyer@example.com"]
    assert mail.extra_headers == {"Auto-Submitted": "auto-generated"}
