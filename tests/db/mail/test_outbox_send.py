"""outbox.send: what is recorded, when, and at what cost."""

import threading
from datetime import timedelta

import pytest
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.utils import timezone

from mail import outbox
from mail.models import Delivery, Lane, Message, OnUncertain
from tests.harness.ports import PATIENCE
from tests.unit.mail.mails import NOTICE, RECEIPT, receipt


@pytest.mark.django_db
def test_a_mail_becomes_a_message_and_a_queued_delivery_per_recipient():
    email = receipt("kim@example.com", cc=["lee@example.com"], bcc=["audit@moa.example"])

    message = outbox.send(email, kind=RECEIPT)

    message.refresh_from_db()
    assert (message.subject, message.text) == ("영수증", "결제해 주셔서 고맙습니다.\n")
    assert message.sender == "모아 구독 <no-reply@moa.example>"
    assert message.envelope_from == "no-reply@moa.example"
    assert (message.queued, message.recipients, message.duplicates) == (3, 3, 0)
    assert list(message.deliveries.values_list("address", "state", "lane")) == [
        ("kim@example.com", "queued", "transactional"),
        ("lee@example.com", "queued", "transactional"),
        ("audit@moa.example", "queued", "transactional"),
    ]


@pytest.mark.django_db
def test_blind_copies_stand_in_no_header():
    message = outbox.send(receipt(bcc=["audit@moa.example"]), kind=RECEIPT)

    assert b"audit" not in bytes(message.mime)


@pytest.mark.django_db
def test_a_message_carries_the_policy_of_its_kind():
    message = outbox.send(receipt(), kind=NOTICE)

    message.refresh_from_db()
    assert (message.kind, message.lane) == ("tests.notice", Lane.BULK)
    assert message.on_uncertain == OnUncertain.HOLD
    assert (message.give_up_after, message.keep_for) == (timedelta(hours=72), None)


@pytest.mark.django_db
def test_a_mail_is_due_at_once_and_given_up_when_its_kind_says():
    before = timezone.now()

    message = outbox.send(receipt(), kind=NOTICE)

    delivery = message.deliveries.get()
    assert abs(delivery.due_at - before) < timedelta(seconds=10)
    assert delivery.expires_at == delivery.due_at + timedelta(hours=72)


@pytest.mark.django_db
def test_a_mail_may_wait_and_be_given_up_at_a_time_of_its_own():
    tomorrow = timezone.now() + timedelta(days=1)

    waiting = outbox.send(receipt(), kind=RECEIPT, send_at=tomorrow).deliveries.get()
    brief = outbox.send(receipt(), kind=RECEIPT, expires_at=tomorrow).deliveries.get()

    assert waiting.due_at == tomorrow
    assert waiting.expires_at == tomorrow + RECEIPT.give_up_after
    assert brief.due_at < tomorrow
    assert brief.expires_at == tomorrow


@pytest.mark.django_db
def test_i8_folded_repeats_are_counted():
    """I8: (message, address) is unique, the domain lowered and IDNA-encoded."""
    email = receipt(
        "kim@example.com",
        "Kim <kim@EXAMPLE.com>",
        cc=["a@bücher.example", "a@xn--bcher-kva.example"],
    )

    message = outbox.send(email, kind=RECEIPT)

    addresses = message.deliveries.values_list("address", flat=True)
    assert list(addresses) == ["kim@example.com", "a@xn--bcher-kva.example"]
    assert (message.queued, message.duplicates) == (2, 2)


@pytest.mark.django_db
def test_i6_all_deliveries_of_a_message_share_one_message_id():
    """I6: the Message-ID is fixed before the first attempt."""
    message = outbox.send(receipt("kim@example.com", "lee@example.com"), kind=RECEIPT)

    headers = {delivery.message_id_header for delivery in message.deliveries.all()}
    assert headers == {message.message_id} == {f"<{message.uuid}@moa.example>"}
    assert f"Message-ID: {message.message_id}\r\n".encode() in bytes(message.mime)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["Message-ID", "message-id"])
def test_i6_a_message_id_of_the_caller_wins(name: str):
    """I6: the caller's own header wins."""
    message = outbox.send(receipt(headers={name: "<own@shop.example>"}), kind=RECEIPT)

    assert message.message_id == "<own@shop.example>"
    assert bytes(message.mime).lower().count(b"message-id:") == 1


@pytest.mark.django_db
def test_the_email_of_the_caller_stays_as_it_was():
    email = receipt(headers={"X-Shop": "1"})

    outbox.send(email, kind=RECEIPT)

    assert email.extra_headers == {"X-Shop": "1"}
    assert email.to == ["kim@example.com"]


@pytest.mark.django_db
@pytest.mark.parametrize(("key", "statements"), [(None, 2), ("payment:42:receipt", 4)])
def test_a_mail_costs_the_same_few_statements_whatever_its_recipients(
    key: str | None, statements: int, django_assert_num_queries
):
    everybody = [f"user{number}@example.com" for number in range(40)]

    with transaction.atomic(), django_assert_num_queries(statements) as one:
        outbox.send(receipt(), kind=RECEIPT, key=key)
    with transaction.atomic(), django_assert_num_queries(statements) as forty:
        outbox.send(receipt(*everybody), kind=RECEIPT, key=key and f"{key}:40")

    assert len(one) == len(forty)


@pytest.mark.django_db
def test_i1_a_rolled_back_transaction_leaves_no_mail():
    """I1: a Delivery exists if and only if the caller's transaction committed."""

    @transaction.atomic
    def business() -> float:
        outbox.send(receipt(), kind=RECEIPT)
        return 1 / 0

    with pytest.raises(ZeroDivisionError):
        business()

    assert not Message.objects.exists()
    assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_i1_outside_a_transaction_a_mail_is_recorded_whole_or_not_at_all(monkeypatch):
    """I1: Message and Deliveries commit together."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Delivery.objects, "bulk_create", fail)

    with pytest.raises(ZeroDivisionError):
        outbox.send(receipt(), kind=RECEIPT)

    assert not Message.objects.exists()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("commits", [True, False])
def test_i1_nobody_sees_a_mail_before_the_commit(commits: bool):
    """I1, seen from another session while the transaction is open and after it ended."""
    recorded, may_end = threading.Event(), threading.Event()

    def business() -> None:
        try:
            with transaction.atomic():
                outbox.send(receipt(), kind=RECEIPT)
                recorded.set()
                may_end.wait(PATIENCE)
                transaction.set_rollback(not commits)
        finally:
            connection.close()

    thread = threading.Thread(target=business)
    thread.start()
    assert recorded.wait(PATIENCE)
    seen_before = Delivery.objects.count()
    may_end.set()
    thread.join()

    assert seen_before == 0
    assert Delivery.objects.count() == (1 if commits else 0)


@pytest.mark.django_db
def test_a_plain_email_message_is_enough():
    email = EmailMessage("hello", "text", "shop@moa.example", ["kim@example.com"])

    message = outbox.send(email, kind=RECEIPT)

    assert (message.subject, message.text, message.html) == ("hello", "text", "")
