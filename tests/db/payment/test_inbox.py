"""What a verified webhook does, once and in any order."""

from typing import Any

import pytest

from mail.models import Message
from payment.gateways import Event
from payment.inbox import process_event
from payment.models import Payment, WebhookEvent
from seller.models import Subscription
from tests.db.payment.conftest import approval_of, open_one

Outcome = WebhookEvent.Outcome


def tell(
    payment: Payment, *, event_type: str = Event.PAID, event_id: str = "evt_1", **facts: Any
) -> WebhookEvent:
    approval = approval_of(payment, **facts)
    event = Event(provider="sandbox", event_id=event_id, type=event_type, approval=approval)
    return process_event(event=event)


def state_of(payment: Payment) -> str:
    payment.refresh_from_db()
    return payment.state


def test_an_event_pays(ready: Payment) -> None:
    entry = tell(ready)

    assert (entry.outcome, entry.payment) == (Outcome.PROCESSED, ready)
    assert entry.processed_at
    assert state_of(ready) == Payment.State.PAID
    assert (Message.objects.count(), Subscription.objects.count()) == (1, 1)


def test_a_replay_has_no_second_effect(ready: Payment) -> None:
    first = tell(ready)
    second = tell(ready)

    assert first == second
    assert (WebhookEvent.objects.count(), Message.objects.count()) == (1, 1)


def test_a_replay_is_not_judged_again(ready: Payment) -> None:
    """What was filed stays filed, though by now the event could have its effect."""
    Payment.objects.update(order_number="order-yet-unknown")
    first = tell(ready)
    Payment.objects.update(order_number="order-1")

    second = tell(ready)

    assert (first, second.outcome) == (second, Outcome.QUARANTINED)
    assert state_of(ready) == Payment.State.READY


def test_the_same_news_under_another_id_changes_nothing(ready: Payment) -> None:
    tell(ready)
    again = tell(ready, event_id="evt_2")

    assert again.outcome == Outcome.PROCESSED
    assert Message.objects.count() == 1


def test_an_event_after_the_confirmation_changes_nothing(paid: Payment) -> None:
    approved_at = paid.approved_at

    entry = tell(paid)

    assert entry.outcome == Outcome.PROCESSED
    paid.refresh_from_db()
    assert paid.approved_at == approved_at
    assert Message.objects.count() == 1


def test_an_unknown_type_is_ignored(ready: Payment) -> None:
    entry = tell(ready, event_type="payment.blessed")

    assert entry.outcome == Outcome.IGNORED
    assert state_of(ready) == Payment.State.READY


@pytest.mark.parametrize(
    "facts",
    [
        {"amount": 9899},
        {"amount": 10**30},
        {"amount": -9900},
        {"currency": "USD"},
        {"order_number": "order-of-nobody"},
    ],
)
@pytest.mark.parametrize("event_type", [Event.PAID, Event.CANCELLED])
def test_what_contradicts_the_books_is_quarantined(
    ready: Payment, event_type: str, facts: dict[str, Any]
) -> None:
    entry = tell(ready, event_type=event_type, **facts)

    assert entry.outcome == Outcome.QUARANTINED
    assert entry.detail
    assert state_of(ready) == Payment.State.READY
    assert not Message.objects.exists()


def test_what_tells_too_little_is_quarantined(ready: Payment) -> None:
    event = Event(provider="sandbox", event_id="evt_1", type=Event.PAID, approval=None)

    assert process_event(event=event).outcome == Outcome.QUARANTINED


def test_an_order_of_another_provider_is_quarantined(ready: Payment) -> None:
    Payment.objects.filter(pk=ready.pk).update(provider="elsewhere")

    assert tell(ready).outcome == Outcome.QUARANTINED


def test_a_second_payment_of_one_order_is_quarantined(paid: Payment) -> None:
    assert tell(paid, payment_key="sandbox_2").outcome == Outcome.QUARANTINED
    assert Message.objects.count() == 1


def test_a_payment_key_of_another_order_is_quarantined(paid: Payment) -> None:
    other = open_one(paid.product, order_number="order-2", buyer_address="else@example.com")

    entry = tell(other)

    assert (entry.outcome, entry.payment) == (Outcome.QUARANTINED, other)
    assert state_of(other) == Payment.State.READY


def test_money_for_a_failed_payment_is_quarantined(ready: Payment) -> None:
    Payment.objects.filter(pk=ready.pk).update(state=Payment.State.FAILED)

    assert tell(ready).outcome == Outcome.QUARANTINED
    assert state_of(ready) == Payment.State.FAILED


def test_a_cancellation_moves_paid_to_cancelled(paid: Payment) -> None:
    assert tell(paid, event_type=Event.CANCELLED).outcome == Outcome.PROCESSED
    assert state_of(paid) == Payment.State.CANCELLED


def test_a_part_that_is_given_back_is_quarantined(paid: Payment) -> None:
    assert tell(paid, event_type=Event.CANCELLED, amount=100).outcome == Outcome.QUARANTINED
    assert state_of(paid) == Payment.State.PAID


def test_late_news_of_the_payment_does_not_undo_its_cancellation(paid: Payment) -> None:
    tell(paid, event_type=Event.CANCELLED)

    entry = tell(paid, event_id="evt_late")

    assert entry.outcome == Outcome.PROCESSED
    assert state_of(paid) == Payment.State.CANCELLED


def test_a_cancellation_that_comes_first_keeps_the_payment_from_being_paid(ready: Payment) -> None:
    early = tell(ready, event_type=Event.CANCELLED)
    late = tell(ready, event_id="evt_2")

    assert (early.outcome, late.outcome) == (Outcome.QUARANTINED, Outcome.QUARANTINED)
    assert state_of(ready) == Payment.State.READY
    assert not Message.objects.exists()


def test_an_event_that_cannot_be_filed_has_no_effect(
    ready: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1: the row of the inbox and its effect commit together or not at all."""

    class StoppedClock:
        def now(self) -> None:
            raise OSError("disk full")

    monkeypatch.setattr("payment.inbox.timezone", StoppedClock())

    with pytest.raises(OSError, match="disk full"):
        tell(ready)

    assert state_of(ready) == Payment.State.READY
    assert not WebhookEvent.objects.exists()
    assert not Message.objects.exists()


def test_the_log_of_a_quarantine_names_ids_only(
    ready: Payment, caplog: pytest.LogCaptureFixture
) -> None:
    """I10: no address, name or body in a log."""
    tell(ready, amount=1)
    tell(ready, event_id="evt_2")

    assert "quarantined" in caplog.text
    assert ready.buyer_address not in caplog.text
    assert ready.buyer_name not in caplog.text
