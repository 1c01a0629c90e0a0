"""The provider's confirmation arriving in several ways at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from mail.models import Delivery, Message
from payment import gateways, services
from payment.gateways import Event
from payment.inbox import process_event
from payment.models import Payment, WebhookEvent
from payment.services import NotPayable
from seller.models import Subscription
from tests.db.payment.conftest import KEY, approval_of, make_product, open_one
from tests.harness.ports import PATIENCE

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """What the calls return, or raise, when they all start together."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait(PATIENCE)
        try:
            return call()
        except ValueError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def confirmation(payment: Payment, key: str = KEY) -> Callable[[], Payment]:
    return lambda: services.confirm_payment(
        payment=Payment.objects.get(pk=payment.pk),
        payment_key=key,
        amount=payment.amount,
        gateway=gateways.DEFAULT,
    )


def news(payment: Payment, event_id: str) -> Callable[[], WebhookEvent]:
    event = Event(
        provider="sandbox", event_id=event_id, type=Event.PAID, approval=approval_of(payment)
    )
    return lambda: process_event(event=event)


def test_confirmations_and_webhooks_at_once_make_one_receipt() -> None:
    """I7: the business key names one mail, also to the losers of a race."""
    payment = open_one(make_product())
    calls = [confirmation(payment) for _ in range(5)]
    calls += [news(payment, "evt_1") for _ in range(5)] + [
        news(payment, f"evt_{n}") for n in range(2, 4)
    ]

    results = at_once(calls)

    assert not [result for result in results if isinstance(result, Exception)]
    payment.refresh_from_db()
    assert payment.state == Payment.State.PAID
    assert (Message.objects.count(), Delivery.objects.count()) == (1, 1)
    assert Subscription.objects.count() == 1
    assert WebhookEvent.objects.count() == 3
    assert set(WebhookEvent.objects.values_list("outcome", flat=True)) == {"processed"}


def test_two_payment_keys_at_once_pay_once() -> None:
    payment = open_one(make_product())

    results = at_once([confirmation(payment, f"sandbox_{number}") for number in range(8)])

    assert len([result for result in results if isinstance(result, Payment)]) == 1
    assert len([result for result in results if isinstance(result, NotPayable)]) == 7
    assert Message.objects.count() == 1


def test_one_payment_key_for_many_orders_at_once_pays_one() -> None:
    product = make_product()
    payments = [
        open_one(product, order_number=f"order-{number}", buyer_address=f"b{number}@example.com")
        for number in range(6)
    ]

    results = at_once([confirmation(payment) for payment in payments])

    assert len([result for result in results if isinstance(result, Payment)]) == 1
    assert Payment.objects.filter(state="paid").count() == Message.objects.count() == 1
    assert Subscription.objects.count() == 1


def test_the_same_order_many_times_at_once_opens_one_payment() -> None:
    product = make_product()

    results = at_once([lambda: open_one(product)] * 8)

    assert len({payment.pk for payment in results}) == 1


def test_paid_and_cancelled_at_once_end_cancelled_or_in_quarantine() -> None:
    product = make_product()
    for number in range(10):
        payment = open_one(product, order_number=f"order-{number}")
        key = f"sandbox_{number}"
        approval = approval_of(payment, payment_key=key)

        paid, cancelled = at_once(
            [
                lambda a=approval, n=number: process_event(
                    event=Event(provider="sandbox", event_id=f"p{n}", type=Event.PAID, approval=a)
                ),
                lambda a=approval, n=number: process_event(
                    event=Event(
                        provider="sandbox", event_id=f"c{n}", type=Event.CANCELLED, approval=a
                    )
                ),
            ]
        )

        payment.refresh_from_db()
        ends = (payment.state, paid.outcome, cancelled.outcome)
        assert ends in {
            ("cancelled", "processed", "processed"),
            ("ready", "quarantined", "quarantined"),
        }
