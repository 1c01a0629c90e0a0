"""Opening, confirming, completing and cancelling a payment."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from mail.content.addresses import InvalidAddress
from mail.models import Delivery, Message
from payment import services
from payment.gateways import Approval, Declined, Event, GatewayUnavailable
from payment.models import Payment
from payment.services import AmountMismatch, NotPayable, OrderConflict
from payment.vat import supply_value
from seller.models import Product, Subscription, Terms
from seller.services import NotOnSale
from tests.db.payment.conftest import KEY, approval_of, make_product, open_one


class Scripted:
    """A provider that responds as the test says and counts the calls."""

    name = "sandbox"

    def __init__(self, answer: Callable[[], Approval]) -> None:
        self.answer = answer
        self.asked = 0

    def confirm(self, *, payment_key: str, order_number: str, amount: int) -> Approval:
        self.asked += 1
        return self.answer()

    def verify(self, headers: Mapping[str, str], body: bytes) -> Event:
        raise NotImplementedError


def refuse(error: Exception) -> Scripted:
    def answer() -> Approval:
        raise error

    return Scripted(answer)


def nothing_happened(payment: Payment) -> bool:
    payment.refresh_from_db()
    rows = Subscription.objects.count(), Message.objects.count(), Delivery.objects.count()
    return payment.state == Payment.State.READY and rows == (0, 0, 0)


@pytest.mark.parametrize(
    ("total", "supply"),
    [(1, 1), (5, 5), (6, 5), (10, 9), (11, 10), (100, 91), (9900, 9000), (10_000, 9091)],
)
def test_the_supply_value_is_the_total_times_100_110ths_to_the_nearest_won(
    total: int, supply: int
) -> None:
    assert supply_value(total) == supply


def test_no_won_is_lost_between_supply_value_and_vat() -> None:
    for total in range(1, 5000):
        assert supply_value(total) == round(total * 100 / 110)


def test_a_payment_opens_ready_with_its_vat(product: Product) -> None:
    payment = open_one(product, buyer_address=" Buyer@EXAMPLE.com ")

    payment.refresh_from_db()
    assert payment.state == Payment.State.READY
    assert payment.buyer_address == "Buyer@example.com"
    assert (payment.supply_amount, payment.vat_amount) == (9000, 900)
    assert not Message.objects.exists()


def test_an_order_number_is_made_up_if_none_is_given(product: Product) -> None:
    first = open_one(product, order_number=None)
    second = open_one(product, order_number=None)

    assert first.order_number != second.order_number


def test_the_same_order_opens_one_payment(product: Product) -> None:
    order = {
        "product": product,
        "buyer_address": "buyer@example.com",
        "buyer_name": "홍길동",
        "amount": 9900,
        "order_number": "order-1",
    }

    first, is_new = services.open_payment(**order)
    product.price, product.is_active = 12_000, False
    product.save()
    second, is_new_again = services.open_payment(**order)

    assert (first, is_new, is_new_again) == (second, True, False)


@pytest.mark.parametrize(
    "other",
    [{"buyer_address": "else@example.com"}, {"buyer_name": "임꺽정"}, {"amount": 1}],
)
def test_an_order_number_is_not_taken_twice(ready: Payment, other: dict[str, Any]) -> None:
    with pytest.raises(OrderConflict):
        open_one(ready.product, **other)


def test_an_order_number_is_not_taken_for_another_product(
    ready: Payment, other_product: Product
) -> None:
    with pytest.raises(OrderConflict):
        open_one(other_product)


def test_the_price_is_the_products(product: Product) -> None:
    with pytest.raises(AmountMismatch):
        open_one(product, amount=9899)


def test_what_is_not_on_sale_is_not_sold(product: Product) -> None:
    product.is_active = False

    with pytest.raises(NotOnSale):
        open_one(product)


def test_what_has_no_terms_in_force_is_not_sold(product: Product) -> None:
    unready = Product.objects.create(seller=product.seller, name="새 상품", price=9900)
    Terms.objects.create(product=unready, title="초안", body="제1조", effective_on="2026-01-01")

    with pytest.raises(NotOnSale):
        open_one(unready)


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"buyer_address": "nobody"}, InvalidAddress),
        ({"buyer_name": "홍\n길동"}, ValidationError),
        ({"buyer_name": ""}, ValidationError),
        ({"order_number": "한글"}, ValidationError),
        ({"order_number": "x" * 65}, ValidationError),
    ],
)
def test_facts_that_cannot_be_kept_are_refused(
    product: Product, facts: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        open_one(product, **facts)


def test_confirming_pays_subscribes_and_records_the_receipt(
    confirm: Callable[..., Payment],
) -> None:
    payment = confirm()

    payment.refresh_from_db()
    assert (payment.state, payment.payment_key) == (Payment.State.PAID, KEY)
    assert payment.subscription == Subscription.objects.get(address="buyer@example.com")
    assert payment.receipt == Message.objects.get(key=f"payment:{payment.pk}:receipt")
    assert Delivery.objects.get().address == "buyer@example.com"


def test_confirming_again_changes_nothing(confirm: Callable[..., Payment]) -> None:
    """I7: one business key, one mail, also for one who still holds the row as it was."""
    first = confirm()
    second = confirm()

    assert first == second
    assert first.approved_at == second.approved_at
    assert (Message.objects.count(), Subscription.objects.count()) == (1, 1)


def test_a_paid_payment_is_returned_without_asking_the_provider(paid: Payment) -> None:
    provider = refuse(Declined("again", "again"))

    again = services.confirm_payment(
        payment=paid, payment_key=KEY, amount=paid.amount, gateway=provider
    )

    assert (again, provider.asked) == (paid, 0)


def test_another_amount_is_refused_before_the_provider_is_asked(
    ready: Payment, confirm: Callable[..., Payment]
) -> None:
    provider = refuse(AssertionError("asked"))

    with pytest.raises(AmountMismatch):
        confirm(amount=9899, gateway=provider)

    assert nothing_happened(ready)


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_the_provider_is_asked() -> None:
    payment = open_one(make_product())
    open_then = []

    def answer() -> Approval:
        open_then.append(connection.in_atomic_block)
        return approval_of(payment)

    services.confirm_payment(
        payment=payment, payment_key=KEY, amount=payment.amount, gateway=Scripted(answer)
    )

    assert open_then == [False]


def test_a_refusal_fails_the_payment_and_is_told_again(
    ready: Payment, confirm: Callable[..., Payment]
) -> None:
    with pytest.raises(Declined):
        confirm(payment_key="sandbox_declined")

    ready.refresh_from_db()
    assert (ready.state, ready.failure_code) == (Payment.State.FAILED, "card_declined")
    assert ready.failed_at
    with pytest.raises(Declined, match="거절") as told:
        confirm()
    assert told.value.code == "card_declined"
    assert not Message.objects.exists()


def test_a_refusal_does_not_unpay(ready: Payment, confirm: Callable[..., Payment]) -> None:
    services.complete_payment(payment_id=ready.pk, approval=approval_of(ready))

    with pytest.raises(Declined):
        confirm(payment_key="sandbox_declined")

    ready.refresh_from_db()
    assert ready.state == Payment.State.PAID


def test_money_taken_for_a_payment_that_failed_meanwhile_is_reported(
    ready: Payment, confirm: Callable[..., Payment], caplog: pytest.LogCaptureFixture
) -> None:
    def answer() -> Approval:
        Payment.objects.update(state=Payment.State.FAILED)
        return approval_of(ready)

    with pytest.raises(NotPayable):
        confirm(gateway=Scripted(answer))

    assert f"payment {ready.pk}: the provider captured money" in caplog.text


def test_an_absent_provider_leaves_the_payment_ready(
    ready: Payment, confirm: Callable[..., Payment]
) -> None:
    with pytest.raises(GatewayUnavailable):
        confirm(gateway=refuse(GatewayUnavailable("down")))

    assert nothing_happened(ready)


@pytest.mark.parametrize(
    "facts", [{"amount": 9899}, {"currency": "USD"}, {"order_number": "order-2"}]
)
def test_an_approval_of_something_else_pays_nothing(ready: Payment, facts: dict[str, Any]) -> None:
    with pytest.raises(AmountMismatch):
        services.complete_payment(payment_id=ready.pk, approval=approval_of(ready, **facts))

    assert nothing_happened(ready)


def test_another_payment_key_does_not_pay_twice(paid: Payment) -> None:
    with pytest.raises(NotPayable):
        services.complete_payment(
            payment_id=paid.pk, approval=approval_of(paid, payment_key="sandbox_2")
        )

    assert Message.objects.count() == 1


def test_a_payment_key_pays_one_order(paid: Payment) -> None:
    other = open_one(paid.product, order_number="order-2", buyer_address="else@example.com")

    with pytest.raises(NotPayable):
        services.complete_payment(payment_id=other.pk, approval=approval_of(other))

    other.refresh_from_db()
    assert other.state == Payment.State.READY
    assert (Message.objects.count(), Subscription.objects.count()) == (1, 1)


def test_the_second_payment_of_a_buyer_goes_to_the_same_subscription(paid: Payment) -> None:
    renewal = open_one(paid.product, order_number="order-2")

    renewal = services.complete_payment(
        payment_id=renewal.pk, approval=approval_of(renewal, payment_key="sandbox_2")
    )

    assert renewal.subscription == paid.subscription
    assert Message.objects.count() == 2


def test_rolled_back_there_is_no_payment_no_subscription_and_no_mail(ready: Payment) -> None:
    """I1: a Delivery exists if and only if the caller's transaction committed."""
    with transaction.atomic():
        services.complete_payment(payment_id=ready.pk, approval=approval_of(ready))
        transaction.set_rollback(True)

    assert nothing_happened(ready)


def test_without_a_receipt_nothing_is_paid(
    ready: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1, from the other side: when the mail cannot be recorded, nothing else is."""
    monkeypatch.setattr("payment.mails.RECEIPT", None)

    with pytest.raises(AttributeError):
        services.complete_payment(payment_id=ready.pk, approval=approval_of(ready))

    assert nothing_happened(ready)


def test_the_provider_takes_a_payment_back(paid: Payment) -> None:
    cancelled = services.cancel_payment(payment_id=paid.pk, approval=approval_of(paid))

    assert cancelled.state == Payment.State.CANCELLED
    assert cancelled.cancelled_at


def test_a_late_approval_does_not_revive_what_was_cancelled(paid: Payment) -> None:
    services.cancel_payment(payment_id=paid.pk, approval=approval_of(paid))

    late = services.complete_payment(payment_id=paid.pk, approval=approval_of(paid))

    assert late.state == Payment.State.CANCELLED
    with pytest.raises(NotPayable):
        services.confirm_payment(
            payment=late, payment_key=KEY, amount=late.amount, gateway=refuse(AssertionError())
        )


@pytest.mark.parametrize(
    "facts",
    [
        {"amount": 0},
        {"supply_amount": 1},
        {"state": "paid"},
        {"state": "paid", "approved_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"state": "paid", "payment_key": KEY},
        {"state": "cancelled"},
    ],
)
def test_the_database_refuses_what_cannot_be(ready: Payment, facts: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.filter(pk=ready.pk).update(**facts)
