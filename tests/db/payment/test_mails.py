"""The receipt."""

from datetime import UTC, datetime
from email.header import decode_header, make_header

import pytest
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone

from mail.content import builder
from mail.models import Lane, OnUncertain
from payment import mails
from payment.models import Payment
from seller.models import Product

FACTS = [
    "홍길동 님",
    "order-1",
    "달빛 커피",
    "2026-12-01 ~ 2026-12-30",
    "₩9,900",
    "₩9,000",
    "₩900",
    "신용카드 ****-1234",
    "2026-12-01 00:30:00 (KST)",
    "2026-12-31",
    "청약철회",
    "7일",
    "전자상거래법 제17조",
    "해지",
    "달빛 커피 상점",
    "김모아",
    "123-45-67890",
    "서울시 중구 세종대로 110",
    "02-123-4567",
    "help@moonlight.example",
    "세금계산서나 현금영수증이 아닙니다",
]


def html_of(email: EmailMultiAlternatives) -> str:
    return str(email.alternatives[0].content)


@pytest.mark.parametrize("fact", FACTS)
def test_both_parts_state(paid: Payment, fact: str) -> None:
    email = mails.receipt(paid)

    assert fact in str(email.body)
    assert fact in html_of(email)


def test_the_receipt_goes_from_the_seller_on_the_operators_address(paid: Payment) -> None:
    headers = mails.receipt(paid).message()

    sender = str(make_header(decode_header(str(headers["From"]))))
    assert sender == "달빛 커피 상점 <no-reply@moa.example>"
    assert headers["To"] == "buyer@example.com"
    assert headers["Reply-To"] == "help@moonlight.example"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert "List-Unsubscribe" not in headers


def test_the_subject_promotes_nothing(paid: Payment) -> None:
    subject = mails.receipt(paid).subject

    assert subject == "[달빛 커피 상점] 달빛 커피 결제 영수증 (₩9,900)"
    assert "광고" not in subject


def test_the_period_is_counted_in_korea_whatever_zone_is_active(paid: Payment) -> None:
    paid.approved_at = datetime(2026, 12, 31, 15, 0, tzinfo=UTC)

    with timezone.override("America/New_York"):
        body = str(mails.receipt(paid).body)

    assert "2027-01-01 00:00:00 (KST)" in body
    assert "2027-01-01 ~ 2027-01-30" in body


def test_the_html_carries_its_style_inline(paid: Payment) -> None:
    html = html_of(mails.receipt(paid))

    assert '<td style="' in html
    assert "prefers-color-scheme: dark" in html
    assert "http" not in html


def test_what_a_person_typed_is_shown_and_never_run(paid: Payment) -> None:
    """I12: callers' text is never compiled as a template, and stays text in HTML."""
    paid.buyer_name = "{{ payment.payment_key }} <b>&"

    email = mails.receipt(paid)

    assert "{{ payment.payment_key }} <b>& 님" in str(email.body)
    assert "{{ payment.payment_key }} &lt;b&gt;&amp; 님" in html_of(email)


@pytest.mark.parametrize(
    "name",
    ['"따옴표", 그리고 쉼표', "a@b.example", "<script>", "두\r\n줄: Bcc", "x" * 100, "가" * 100],
)
def test_any_sellers_name_makes_a_mail(paid: Payment, name: str) -> None:
    Product.objects.filter(pk=paid.product_id).update(name=name)
    paid.product.refresh_from_db()
    paid.product.seller.name = name

    built = builder.build(mails.receipt(paid), message_id="<1@moa.example>")

    assert built.envelope_from == "no-reply@moa.example"
    assert b"\r\nBcc" not in built.mime.partition(b"\r\n\r\n")[0]


def test_what_is_not_paid_has_no_receipt(ready: Payment) -> None:
    with pytest.raises(ValueError, match="paid"):
        mails.receipt(ready)


@pytest.mark.django_db
def test_the_receipt_is_made_without_the_database(paid: Payment) -> None:
    """A pure function: a payment in, a mail out."""
    payment = Payment.objects.select_related("product__seller").get(pk=paid.pk)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.db.models.query.QuerySet._fetch_all", None)
        email = mails.receipt(payment)

    assert email.to == ["buyer@example.com"]


def test_receipts_have_their_lane_and_are_kept_five_years() -> None:
    kind = mails.RECEIPT

    assert (kind.name, kind.lane) == ("payment.receipt", Lane.TRANSACTIONAL)
    assert kind.on_uncertain == OnUncertain.RESEND
    assert kind.give_up_after.total_seconds() == 24 * 3600
    assert kind.keep_for
    assert kind.keep_for.days == 5 * 365
