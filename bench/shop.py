"""The program that acts as Moa's web processes do: `python -m bench.answering bench.shop`.

It calls the same services as the API and the admin. Times are of the clock `monotonic`, which all
processes of a machine share.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from mail import outbox
from mail.content.builder import build_personal
from mail.content.placeholders import for_people
from mail.models import Message
from payment import mails as payment_mails
from payment.models import Payment
from payment.vat import supply_value
from seller import mails
from seller.models import NoticePeriod, Seller, Terms
from seller.services import draft_terms, publish_terms
from tests.harness.shop import PRICE, make_product, make_seller

BODY = "\n".join(
    f"제{number}조 회사는 이용자에게 상품을 매주 {number}회 보냅니다." for number in range(1, 6)
)
SUBSCRIBE = """
    INSERT INTO seller_subscription (product_id, address, name, agreed_terms_id)
    SELECT %s, 'reader' || n || '.' || %s || '@example.com', '구독자 ' || n, %s
      FROM generate_series(1, %s) AS n
"""


def ready() -> dict[str, Any]:
    return {}


def product(subscribers: int) -> dict[str, Any]:
    """A product with active subscribers and a draft that changes its terms."""
    made = make_product(seller=seller(), body=BODY)
    first = made.terms.get()
    with connection.cursor() as cursor:
        cursor.execute(SUBSCRIBE, [made.pk, made.pk, first.pk, subscribers])
        cursor.execute("ANALYZE")
    changed = draft_terms(
        product=made,
        title="이용약관",
        body=BODY.replace("3회", "두 번"),
        reason="배송 횟수를 알기 쉽게 적었습니다.",
        effective_on=NoticePeriod.for_change(is_unfavourable=False).earliest,
    )
    return {"product": made.pk, "price": made.price, "terms": changed.pk}


def publish(terms: int) -> dict[str, Any]:
    """Publish the draft, so that its subscribers are notified."""
    draft = Terms.objects.get(pk=terms)
    began = time.monotonic()
    published = publish_terms(terms=draft, by=administrator())
    return {"message": published.message_id, "began": began, "recorded": time.monotonic()}


def notice(terms: int) -> dict[str, Any]:
    """The notice of the draft, as text with {name} and {address} where a recipient's words go.

    `octets` is the length of what is stored of it, near that of each mail.
    """
    email = mails.terms_changed(Terms.objects.get(pk=terms))
    html = str(email.alternatives[0][0])
    return {
        "subject": for_people(str(email.subject)),
        "text": for_people(str(email.body)),
        "html": for_people(html),
        "from_email": email.from_email,
        "reply_to": email.reply_to,
        "octets": len(build_personal(email).mime),
    }


def payments(product: int, count: int) -> dict[str, Any]:
    """Paid payments whose receipts are not recorded yet."""
    unique = time.monotonic_ns()
    rows = Payment.objects.bulk_create(
        Payment(
            order_number=f"{unique}-{number}",
            product_id=product,
            buyer_address=f"buyer{number}@example.com",
            buyer_name=f"구매자 {number}",
            amount=PRICE,
            supply_amount=supply_value(PRICE),
            vat_amount=PRICE - supply_value(PRICE),
            state=Payment.State.PAID,
            provider="sandbox",
            payment_key=f"{unique}-{number}",
            method="카드",
            approved_at=timezone.now(),
        )
        for number in range(count)
    )
    return {"payments": [row.pk for row in rows]}


def receipts(payments: list[int], pause: float = 0) -> dict[str, Any]:
    """Record the receipt of each payment in a transaction of its own, as the service does.

    `seconds` are from BEGIN to the end of COMMIT; the mail's `rendering` comes before. `committed`
    are the moments, of the clock `time`, by address.
    """
    seconds, rendering, committed = [], [], {}
    began = time.monotonic()
    for payment in Payment.objects.select_related("product__seller").filter(pk__in=payments):
        rendered = time.perf_counter()
        email = payment_mails.receipt(payment)
        recorded = time.perf_counter()
        with transaction.atomic():
            record_receipt(payment, email)
        done = time.perf_counter()
        committed[payment.buyer_address] = time.time()
        seconds.append(done - recorded)
        rendering.append(recorded - rendered)
        if pause:
            time.sleep(pause)
    return {
        "began": began,
        "recorded": time.monotonic(),
        "seconds": seconds,
        "rendering": rendering,
        "committed": committed,
    }


def statements(payment: int) -> dict[str, Any]:
    """The statements that recording one receipt takes, BEGIN and COMMIT left out."""
    paid = Payment.objects.select_related("product__seller").get(pk=payment)
    email = payment_mails.receipt(paid)
    with watched() as seen, transaction.atomic():
        record_receipt(paid, email)
    return {"statements": seen}


def progress(message: int) -> dict[str, Any]:
    """The counts of a Message."""
    found = Message.objects.get(pk=message)
    return {name: getattr(found, name) for name in ("queued", "sent", "failed", "uncertain")}


def record_receipt(payment: Payment, email: Any) -> None:
    """What a completed payment does about its receipt (`payment.services`)."""
    outbox.send(
        email,
        kind=payment_mails.RECEIPT,
        key=f"payment:{payment.pk}:receipt",
        params={"payment": payment.pk},
    )


@contextmanager
def watched() -> Iterator[list[str]]:
    seen: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql[:200])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        yield seen


def seller() -> Seller:
    """The one seller of this shop."""
    return Seller.objects.first() or make_seller()


def administrator() -> User:
    found = User.objects.filter(is_superuser=True).first()
    return found or User.objects.create_superuser("bench", "bench@moa.example")


ORDERS = {
    order.__name__: order
    for order in (ready, product, publish, notice, payments, receipts, statements, progress)
}
