"""Pause, resume, cancel, resend, mark as sent: what a person may do with recorded mails."""

from datetime import timedelta

import pytest
from django.utils import timezone

from mail import outbox
from mail.models import Batch, Delivery, Lane, Message
from tests.unit.mail.mails import NOTICE, RECEIPT, receipt

State = Delivery.State


@pytest.fixture
def message(db) -> Message:
    """A mail to five people, one in each state."""
    addresses = [f"{state}@example.com" for state in State.values]
    message = outbox.send(receipt(*addresses), kind=RECEIPT)
    for state in State.values:
        message.deliveries.filter(address=f"{state}@example.com").update(
            state=state, due_at=None, settled_at=timezone.now(), attempts=4, crashes=1
        )
    Message.objects.update(queued=1, sent=1, failed=1, uncertain=1, cancelled=1)
    message.refresh_from_db()
    return message


def states(message: Message) -> dict[str, str]:
    """The states by the names of the recipients."""
    rows = message.deliveries.values_list("address", "state")
    return {address.partition("@")[0]: state for address, state in rows}


def counts(message: Message) -> dict[str, int]:
    message.refresh_from_db()
    return {state: getattr(message, state) for state in State.values}


def test_i9_resend_queues_only_what_failed(message: Message):
    """I9: a final state is left only by the arrows."""
    resent = outbox.resend(message.deliveries.all())

    assert resent == 1
    assert states(message) == {
        "queued": "queued",
        "sent": "sent",
        "failed": "queued",
        "uncertain": "uncertain",
        "cancelled": "cancelled",
    }
    assert counts(message) == {"queued": 2, "sent": 1, "failed": 0, "uncertain": 1, "cancelled": 1}


def test_i9_resend_takes_uncertain_mails_only_when_asked(message: Message):
    """I9: uncertain → queued by a person."""
    resent = outbox.resend(message.deliveries.all(), include_uncertain=True)

    assert resent == 2
    assert states(message)["uncertain"] == "queued"
    assert counts(message)["uncertain"] == 0


def test_a_resent_mail_starts_afresh_and_at_once(message: Message):
    outbox.resend(message.deliveries.all())

    delivery = message.deliveries.get(address="failed@example.com")
    assert delivery.due_at <= timezone.now() + timedelta(seconds=5)
    assert delivery.expires_at - delivery.due_at == RECEIPT.give_up_after
    assert (delivery.attempts, delivery.crashes, delivery.settled_at) == (0, 0, None)
    assert delivery.batch is None


def test_i6_a_resent_mail_keeps_its_message_id(message: Message):
    """I6: it never changes."""
    before = message.deliveries.get(address="failed@example.com").message_id_header

    outbox.resend(message.deliveries.all())

    assert message.deliveries.get(address="failed@example.com").message_id_header == before


def test_what_is_cancelled_is_not_resent(message: Message):
    outbox.cancel(message)

    assert outbox.resend(message.deliveries.all(), include_uncertain=True) == 0


def test_what_is_erased_is_not_resent(message: Message):
    Message.objects.update(erased_at=timezone.now(), mime=b"")

    assert outbox.resend(message.deliveries.all(), include_uncertain=True) == 0


def test_i9_only_uncertain_mails_are_marked_as_sent(message: Message):
    """I9: uncertain → sent by a person with evidence."""
    marked = outbox.mark_sent(message.deliveries.all())

    assert marked == 1
    assert states(message) == {
        "queued": "queued",
        "sent": "sent",
        "failed": "failed",
        "uncertain": "sent",
        "cancelled": "cancelled",
    }
    assert counts(message) == {"queued": 1, "sent": 2, "failed": 1, "uncertain": 0, "cancelled": 1}


def test_resend_works_page_by_page(db, monkeypatch):
    monkeypatch.setattr("mail.ledger.transitions.PAGE", 7)
    message = outbox.send(receipt(*(f"u{n}@example.com" for n in range(30))), kind=RECEIPT)
    message.deliveries.update(state=State.FAILED, due_at=None)
    Message.objects.update(queued=0, failed=30)

    resent = outbox.resend(message.deliveries.all())

    assert resent == 30
    assert counts(message)["queued"] == 30


def test_resend_gives_each_kind_its_own_patience(db):
    for kind in (RECEIPT, NOTICE):
        outbox.send(receipt(), kind=kind)
    Delivery.objects.update(state=State.FAILED, due_at=None)
    Message.objects.update(queued=0, failed=1)

    outbox.resend(Delivery.objects.all())

    patience = {row.lane: row.expires_at - row.due_at for row in Delivery.objects.all()}
    assert patience == {
        Lane.TRANSACTIONAL: RECEIPT.give_up_after,
        Lane.BULK: NOTICE.give_up_after,
    }


def test_pause_sets_one_flag_and_recalls_the_open_batches_of_its_lane(message: Message):
    own = Batch.objects.create(lane=message.lane, size=1)
    closed = Batch.objects.create(lane=message.lane, size=1, closed_at=timezone.now())
    other = Batch.objects.create(lane=Lane.BULK, size=1)

    outbox.pause(message)

    assert message.paused_at is not None
    assert message.flags_pending
    recalled = Batch.objects.filter(flags_changed=True)
    assert list(recalled) == [own]
    assert not {closed, other} & set(recalled)


@pytest.mark.parametrize("steer", [outbox.pause, outbox.resume, outbox.cancel])
def test_steering_a_message_costs_the_same_however_many_recipients_it_has(
    steer, db, django_assert_max_num_queries
):
    message = outbox.send(receipt(*(f"u{n}@example.com" for n in range(50))), kind=RECEIPT)

    with django_assert_max_num_queries(6):
        steer(message)


def test_resume_takes_the_flag_away(message: Message):
    outbox.pause(message)

    outbox.resume(message)

    assert message.paused_at is None
    assert message.flags_pending


def test_a_cancelled_message_is_not_resumed(message: Message):
    outbox.cancel(message)

    with pytest.raises(outbox.NotResumable):
        outbox.resume(message)

    message.refresh_from_db()
    assert message.cancelled_at is not None
