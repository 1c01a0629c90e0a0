"""Business keys: a key identifies a mail permanently (I7)."""

import threading
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from mail import outbox
from mail.models import Broadcast, Delivery, Message
from tests.db.mail.threads import in_threads
from tests.harness.ports import PATIENCE
from tests.unit.mail.mails import NOTICE, RECEIPT, notice, receipt

KEY = "payment:42:receipt"
THREADS = 20


@pytest.mark.django_db
def test_i7_the_same_key_again_returns_the_message_that_is_there():
    """I7: same kind, recipients and content."""
    first = outbox.send(receipt(), kind=RECEIPT, key=KEY)

    again = outbox.send(receipt(), kind=RECEIPT, key=KEY)

    assert again == first
    assert (Message.objects.count(), Delivery.objects.count()) == (1, 1)


@pytest.mark.django_db
def test_i7_params_stand_for_the_content():
    """I7: with the same params the content may differ, such as by a date in it."""
    first = outbox.send(receipt(body="today"), kind=RECEIPT, key=KEY, params={"payment": 42})

    again = outbox.send(receipt(body="tomorrow"), kind=RECEIPT, key=KEY, params={"payment": 42})

    assert again == first


@pytest.mark.django_db
def test_i7_order_and_spelling_of_recipients_do_not_matter():
    first = outbox.send(receipt("a@example.com", "b@example.com"), kind=RECEIPT, key=KEY)

    again = outbox.send(receipt("b@EXAMPLE.com", "a@example.com"), kind=RECEIPT, key=KEY)

    assert again == first


def attached(payload: bytes):
    email = receipt()
    email.attach("receipt.pdf", payload, "application/pdf")
    return email


OTHER_MAILS = {
    "kind": lambda: outbox.send(attached(b"1"), kind=NOTICE, key=KEY),
    "recipients": lambda: _send_to("lee@example.com"),
    "params": lambda: outbox.send(attached(b"1"), kind=RECEIPT, key=KEY, params={"payment": 43}),
    "attachment": lambda: outbox.send(attached(b"2"), kind=RECEIPT, key=KEY),
    "subject": lambda: outbox.send(_changed(subject="other"), kind=RECEIPT, key=KEY),
    "text": lambda: outbox.send(_changed(body="other"), kind=RECEIPT, key=KEY),
    "broadcast": lambda: outbox.broadcast(
        notice(), kind=RECEIPT, audience="tests.users", params={}, key=KEY
    ),
}


def _changed(**fields: str):
    email = attached(b"1")
    for name, value in fields.items():
        setattr(email, name, value)
    return email


def _send_to(address: str) -> Message:
    email = attached(b"1")
    email.to = [address]
    return outbox.send(email, kind=RECEIPT, key=KEY)


@pytest.mark.django_db
@pytest.mark.parametrize("what", OTHER_MAILS)
def test_i7_another_mail_under_the_key_is_refused_before_any_write(what: str):
    """I7: another fingerprint raises KeyConflict."""
    outbox.send(attached(b"1"), kind=RECEIPT, key=KEY)
    there = _everything()

    with (
        CaptureQueriesContext(connection) as queries,
        pytest.raises(outbox.KeyConflict) as refusal,
    ):
        OTHER_MAILS[what]()

    assert KEY in str(refusal.value)
    assert _everything() == there
    verbs = [query["sql"].split()[0] for query in queries.captured_queries]
    assert verbs[:4] == ["SAVEPOINT", "INSERT", "ROLLBACK", "RELEASE"]
    assert set(verbs[4:]) == {"SELECT"}


def _everything() -> list[list[dict[str, Any]]]:
    return [list(model.objects.values()) for model in (Message, Delivery, Broadcast)]


@pytest.mark.django_db
def test_i7_a_broadcast_has_a_key_as_well():
    def send() -> Message:
        return outbox.broadcast(
            notice(), kind=NOTICE, audience="tests.users", params={"prefix": "a"}, key="terms:7"
        )

    assert send() == send()
    with pytest.raises(outbox.KeyConflict):
        outbox.broadcast(
            notice(), kind=NOTICE, audience="tests.users", params={"prefix": "b"}, key="terms:7"
        )


@pytest.mark.django_db
def test_mails_without_a_key_are_never_taken_for_each_other():
    first, second = (outbox.send(receipt(), kind=RECEIPT) for _ in range(2))

    assert first != second


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_i7_a_race_of_twenty_makes_one_message_and_all_get_it():
    """I7: the losers of a race get the Message that is there."""
    barrier = threading.Barrier(THREADS)

    def send() -> int:
        barrier.wait(PATIENCE)
        with transaction.atomic():
            return outbox.send(receipt(), kind=RECEIPT, key=KEY, params={"payment": 42}).pk

    returned = in_threads(THREADS, send)

    assert returned == [Message.objects.get().pk] * THREADS
    assert Delivery.objects.count() == 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_i7_who_waited_for_a_transaction_that_rolled_back_records_the_mail():
    """I7 with I1: the first to come gives up, the second one's mail is recorded."""
    recorded, may_end = threading.Event(), threading.Event()

    def first() -> int:
        with transaction.atomic():
            pk = outbox.send(receipt(), kind=RECEIPT, key=KEY).pk
            recorded.set()
            may_end.wait(PATIENCE)
            transaction.set_rollback(True)
        return pk

    def second() -> int:
        recorded.wait(PATIENCE)
        threading.Timer(0.2, may_end.set).start()
        with transaction.atomic():
            return outbox.send(receipt(), kind=RECEIPT, key=KEY).pk

    lost, kept = in_threads(1, first, second)

    assert list(Message.objects.values_list("pk", flat=True)) == [kept]
    assert lost != kept
