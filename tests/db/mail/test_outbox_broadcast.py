"""outbox.broadcast, and how its recipients become Deliveries (I8)."""

import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from mail import outbox
from mail.audiences import UnknownAudience
from mail.content.builder import InvalidMail
from mail.models import Broadcast, Delivery, Message
from mail.worker import expansion
from tests.unit.mail.mails import NOTICE, notice

User = get_user_model()


def make_users(count: int, prefix: str = "user", **fields) -> None:
    User.objects.bulk_create(
        User(
            username=f"{prefix}{number}",
            email=f"{prefix}{number}@example.com",
            first_name=f"이름 {number}",
            **fields,
        )
        for number in range(count)
    )


def send(**fields) -> Message:
    what = {"kind": NOTICE, "audience": "tests.users", "params": {}} | fields
    return outbox.broadcast(notice(), **what)


def expand(message: Message) -> int:
    return expansion.expand(message.pk, is_stopping=lambda: False)


def interrupted(allowed: int) -> Callable[[], bool]:
    """Says stop after so many pages."""
    left = iter(range(allowed))
    return lambda: next(left, None) is None


@pytest.mark.django_db
def test_a_broadcast_records_its_audience_and_moment_and_no_recipient():
    make_users(3)
    before = timezone.now()

    message = send(params={"prefix": "user"})

    recorded = Broadcast.objects.get()
    assert (recorded.message, recorded.audience) == (message, "tests.users")
    assert recorded.params == {"prefix": "user"}
    assert abs(recorded.moment - before) < timedelta(seconds=10)
    assert not Delivery.objects.exists()
    assert Message.objects.get().personal


@pytest.mark.django_db
def test_a_broadcast_costs_the_same_few_statements_for_ten_recipients_and_for_thousands(
    django_assert_max_num_queries,
):
    make_users(10)
    with transaction.atomic(), django_assert_max_num_queries(5) as ten:
        send(key="terms:1")
    make_users(3000, "late")
    with transaction.atomic(), django_assert_max_num_queries(5) as thousands:
        send(key="terms:2")

    assert len(ten) == len(thousands)


@pytest.mark.django_db
def test_i1_a_rolled_back_broadcast_leaves_nothing():
    """I1: a Delivery exists if and only if the caller's transaction committed."""
    with transaction.atomic():
        send()
        transaction.set_rollback(True)

    assert not Message.objects.exists()
    assert not Broadcast.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["to", "cc", "bcc"])
def test_a_broadcast_that_names_recipients_of_its_own_is_refused(field: str):
    email = notice(**{field: ["kim@example.com"]})

    with pytest.raises(InvalidMail, match="audience"):
        outbox.broadcast(email, kind=NOTICE, audience="tests.users", params={})


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["Message-ID", "To", "Cc", "message-id"])
def test_a_broadcast_with_one_header_for_all_where_each_has_its_own_is_refused(name: str):
    email = notice(headers={name: "<one@moa.example>"})

    with pytest.raises(InvalidMail, match=f"(?i){name}"):
        outbox.broadcast(email, kind=NOTICE, audience="tests.users", params={})


@pytest.mark.django_db
def test_an_unknown_audience_is_refused_and_the_known_are_named():
    with pytest.raises(UnknownAudience, match=r"tests\.users"):
        send(audience="tests.nobody")


@pytest.mark.django_db
def test_params_that_the_audience_does_not_know_are_refused():
    with pytest.raises(TypeError, match="colour"):
        send(params={"colour": "red"})


@pytest.mark.django_db
def test_the_recipients_become_deliveries_with_address_and_name():
    make_users(3)
    message = send()

    expand(message)

    message.refresh_from_db()
    rows = message.deliveries.values_list("address", "name", "state", "lane")
    assert list(rows) == [
        (f"user{number}@example.com", f"이름 {number}", "queued", "bulk") for number in range(3)
    ]
    assert message.queued == 3
    assert Broadcast.objects.get().expanded_at is not None


@pytest.mark.django_db
def test_deliveries_of_a_broadcast_are_due_at_the_moment_of_sending():
    make_users(1)
    message = send()

    expand(message)

    moment, delivery = Broadcast.objects.get().moment, message.deliveries.get()
    assert delivery.due_at == moment
    assert delivery.expires_at == moment + NOTICE.give_up_after


@pytest.mark.django_db
def test_i6_each_delivery_of_a_broadcast_has_a_message_id_of_its_own():
    """I6: message uuid + delivery number @ a domain stored on the Message."""
    make_users(2)
    message = send()
    expand(message)
    message.refresh_from_db()

    headers = [delivery.message_id_header for delivery in message.deliveries.all()]

    assert headers == [
        f"<{message.uuid}.{delivery.pk}@moa.example>" for delivery in message.deliveries.all()
    ]
    assert b"\r\nMessage-ID: <>\r\n" in bytes(message.mime)


@pytest.mark.django_db
def test_i8_an_address_that_comes_twice_is_told_once_and_the_repeat_is_counted(monkeypatch):
    """I8: also when the repeats lie on different pages."""
    monkeypatch.setattr(expansion, "PAGE", 2)
    make_users(5)
    User.objects.filter(username__in=["user1", "user4"]).update(email="user0@example.com")
    message = send()

    expand(message)

    message.refresh_from_db()
    addresses = list(message.deliveries.values_list("address", flat=True))
    assert addresses == ["user0@example.com", "user2@example.com", "user3@example.com"]
    assert (message.queued, message.duplicates) == (3, 2)


@pytest.mark.django_db
def test_i8_who_joins_after_the_moment_of_sending_is_not_told(monkeypatch):
    """I8: even while the expansion is on its way."""
    monkeypatch.setattr(expansion, "PAGE", 2)
    make_users(4)
    message = send()
    expansion.expand(message.pk, is_stopping=interrupted(1))
    make_users(4, "late", date_joined=timezone.now() + timedelta(seconds=1))

    expand(message)

    assert message.deliveries.count() == 4


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(5))
def test_i8_an_expansion_that_is_stopped_anywhere_resumes_exactly(seed: int, monkeypatch):
    """I8: page and cursor commit together."""
    chance = random.Random(seed)
    monkeypatch.setattr(expansion, "PAGE", chance.randint(1, 7))
    make_users(30)
    message = send()

    while Broadcast.objects.get().expanded_at is None:
        expansion.expand(message.pk, is_stopping=interrupted(chance.randint(0, 3)))

    message.refresh_from_db()
    assert message.queued == message.deliveries.count() == 30
    assert message.duplicates == 0


@pytest.mark.django_db(transaction=True)
def test_i8_a_page_that_fails_leaves_neither_rows_nor_cursor(monkeypatch):
    """I8: killed between the rows and the cursor, nothing has happened."""
    monkeypatch.setattr(expansion, "PAGE", 10)
    make_users(15)
    message = send()
    expansion.expand(message.pk, is_stopping=interrupted(1))
    insert = expansion._insert

    def insert_and_die(*arguments):
        insert(*arguments)
        raise ZeroDivisionError

    monkeypatch.setattr(expansion, "_insert", insert_and_die)
    with pytest.raises(ZeroDivisionError):
        expand(message)
    Broadcast.objects.update(lease_until=timezone.now())
    after_crash = message.deliveries.count()
    monkeypatch.setattr(expansion, "_insert", insert)
    expand(message)

    message.refresh_from_db()
    assert after_crash == 10
    assert message.deliveries.count() == message.queued == 15


@pytest.mark.django_db
def test_while_one_worker_expands_a_broadcast_another_leaves_it_alone():
    make_users(3)
    message = send()
    Broadcast.objects.update(lease_until=timezone.now() + timedelta(seconds=30))

    recorded = expand(message)

    assert recorded == 0
    assert not Delivery.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("stop", [outbox.pause, outbox.cancel])
def test_a_stopped_broadcast_gets_no_more_recipients(stop: Callable[[Message], None], monkeypatch):
    monkeypatch.setattr(expansion, "PAGE", 2)
    make_users(4)
    message = send()
    expansion.expand(message.pk, is_stopping=interrupted(1))

    stop(message)
    expand(message)

    assert message.deliveries.count() == 2
