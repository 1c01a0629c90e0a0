"""The program that the sections about one Moa ask: `python -m bench.answering bench.acts`.

What `bench.shop` does, and more; times are of the clock `time`, as in `tests.harness.smtp_sink`.
"""

import time
from collections import defaultdict
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from knox.models import AuthToken

from bench import expansion, probes
from bench.shop import administrator, product, publish, ready, seller
from mail import outbox
from mail.content import builder
from payment import mails, services
from payment.gateways import Approval
from payment.models import Payment
from seller.models import Product
from tests.harness import shop

MAKE_DUE = """
    UPDATE mail_delivery SET due_at = now()
     WHERE message_id IN (SELECT id FROM mail_message WHERE kind = %s) AND due_at > now()
"""


def open_shop() -> dict[str, Any]:
    """A product to buy, its price, and a token of the API for its seller's staff."""
    found = product(subscribers=0)
    seller().staff.add(administrator())
    return found | {"token": AuthToken.objects.create(administrator())[1]}


def open_payments(count: int) -> dict[str, list[int]]:
    """Open that many payments to be confirmed, each by another buyer."""
    bought = Product.objects.order_by("pk")[0]
    return {"payments": shop.open_payments(bought, count)}


def statements(payment: int, price: int, token: str) -> dict[str, Any]:
    """The number of statements that confirming a payment through the API takes."""
    client = Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Token {token}"})
    told = {"payment_key": f"sandbox_{payment}", "amount": price}
    with CaptureQueriesContext(connection) as captured:
        answer = client.post(
            f"/api/payments/{payment}/confirm/", told, content_type="application/json"
        )
    assert answer.status_code == 200, answer.content  # noqa: S101
    return {"count": len(captured), "sql": [query["sql"][:120] for query in captured]}


def confirmation(times: int, warm: int = 20) -> dict[str, list[float]]:
    """Confirm payments through the API in this process; the seconds of each and its parts."""
    sold, spent = open_shop(), defaultdict[str, float](float)
    client = Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Token {sold['token']}"})
    took: dict[str, list[float]] = {"all": [], "making the receipt": [], "statements": []}

    def timed(execute: Any, sql: str, *given: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, *given)
        finally:
            spent["statements"] += time.perf_counter() - began

    for payment in open_payments(warm + times)["payments"]:
        told = {"payment_key": f"sandbox_{payment}", "amount": sold["price"]}
        spent.clear()
        with connection.execute_wrapper(timed):
            began = time.perf_counter()
            answer = client.post(
                f"/api/payments/{payment}/confirm/", told, content_type="application/json"
            )
            spent["all"] = time.perf_counter() - began
        assert answer.status_code == 200, answer.content  # noqa: S101
        paid = Payment.objects.select_related("product__seller").get(pk=payment)
        began = time.perf_counter()
        builder.build(mails.receipt(paid), message_id="<a@moa.example>")
        spent["making the receipt"] = time.perf_counter() - began
        for name, seconds in spent.items():
            took[name].append(seconds)
    return {name: found[warm:] for name, found in took.items()}


def send_receipts(count: int, every: float) -> dict[str, dict[str, float]]:
    """Complete a payment every `every` seconds; return when each receipt was committed."""
    committed = {}
    for payment in Payment.objects.filter(pk__in=open_payments(count)["payments"]):
        began = time.monotonic()
        services.complete_payment(payment_id=payment.pk, approval=_approval(payment))
        committed[payment.buyer_address] = time.time()
        time.sleep(max(0, began + every - time.monotonic()))
    return {"committed": committed}


def hoard_receipts(count: int) -> dict[str, int]:
    """Record that many receipts, which become due when they are released."""
    payment = Payment.objects.get(pk=open_payments(1)["payments"][0])
    payment.approved_at, later = timezone.now(), timezone.now() + timedelta(hours=1)
    with transaction.atomic():
        for number in range(count):
            payment.buyer_address = f"flood{number}@moa.example"
            outbox.send(mails.receipt(payment), kind=mails.RECEIPT, send_at=later)
    return {"count": count}


def release_receipts() -> dict[str, float]:
    """Make them all due at once; return the time of the commit."""
    with connection.cursor() as cursor:
        cursor.execute(MAKE_DUE, [mails.RECEIPT.name])
    return {"at": time.time()}


def _approval(payment: Payment) -> Approval:
    return Approval(
        payment_key=f"sandbox_{payment.pk}",
        order_number=payment.order_number,
        amount=payment.amount,
        currency="KRW",
        method="신용카드 ****-1234",
        approved_at=timezone.now(),
    )


ORDERS = {
    order.__name__: order
    for order in (
        *(ready, product, publish, open_shop, open_payments, statements, confirmation),
        *(send_receipts, hoard_receipts, release_receipts),
        *(expansion.publish_in_the_admin, expansion.expand, expansion.insert_bare),
        *(expansion.cancel, probes.fill, probes.probe, probes.turn, probes.claim, probes.wear),
    )
}
