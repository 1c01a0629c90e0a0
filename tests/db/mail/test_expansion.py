"""Expansion of a broadcast: pages, leases, two workers, and unusual names."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Now
from django.utils import timezone

from mail import audiences, outbox, tasks
from mail.ledger import transitions
from mail.models import Broadcast, Delivery, Lane, Message
from mail.relay.flags import FlagPropagation
from mail.worker import database, expansion
from tests.db.mail.delivering import assert_counts_agree
from tests.db.mail.threads import in_threads
from tests.unit.mail.mails import NOTICE, notice

pytestmark = pytest.mark.usefixtures("transactional_db")

User = get_user_model()


@audiences.declare("tests.odd")
def odd(*, moment, name: str | None = None):
    """Everybody, by a name that no column would take."""
    return User.objects.annotate(address=F("email"), name=Value(name))


def make_users(count: int) -> None:
    User.objects.bulk_create(
        User(username=f"u{number:05}", email=f"u{number}@example.com", first_name="이름")
        for number in range(count)
    )


def record(audience: str = "tests.users", **params: object) -> Message:
    return outbox.broadcast(notice(), kind=NOTICE, audience=audience, params=params)


def expand(message: Message) -> int:
    return expansion.expand(message.pk, is_stopping=lambda: False)


def test_pages_hold_their_share_and_no_recipient_passes_through_python(
    monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr(expansion, "PAGE", 40)
    make_users(100)
    message = record()
    pages = []
    with django_assert_max_num_queries(60):
        while (rows := expansion.expand_page(message.pk)) is not None:
            pages.append(rows)

    assert pages == [40, 40, 20]
    assert Delivery.objects.filter(lane=Lane.BULK, state="queued", batch=None).count() == 100
    assert_counts_agree()


@pytest.mark.parametrize("name", ["이름" * 200, "x" * 201, None, ""])
def test_i11_an_odd_name_stops_no_broadcast(name: str | None):
    """I11: a name too long for its column is cut, and everybody is notified."""
    make_users(3)

    expand(record("tests.odd", name=name))

    assert Delivery.objects.count() == 3
    assert set(Delivery.objects.values_list("name", flat=True)) == {(name or "")[:200]}


def test_i8_a_worker_killed_in_a_page_is_resumed_exactly(monkeypatch):
    """I8: page and cursor commit together."""
    monkeypatch.setattr(expansion, "PAGE", 10)
    make_users(35)
    message = record()
    made = expansion._insert

    def killed(*arguments: object) -> int:
        rows = made(*arguments)
        if Delivery.objects.count() >= 20:
            raise KeyboardInterrupt
        return rows

    with monkeypatch.context() as patch:
        patch.setattr(expansion, "_insert", killed)
        with pytest.raises(KeyboardInterrupt):
            expand(message)
    assert (Delivery.objects.count(), expand(message)) == (10, 0)

    Broadcast.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    recorded = expand(message)

    message.refresh_from_db()
    assert (recorded, Delivery.objects.count()) == (25, 35)
    assert (message.queued, message.duplicates) == (35, 0)
    assert Broadcast.objects.get().expanded_at is not None
    assert_counts_agree()


def test_a_worker_told_to_stop_hands_the_rest_on(monkeypatch):
    monkeypatch.setattr(expansion, "PAGE", 10)
    make_users(35)
    message = record()
    Broadcast.objects.update(published_at=Now())
    asked = iter([False, False, True])

    recorded = expansion.expand(message.pk, is_stopping=lambda: next(asked))

    row = Broadcast.objects.get()
    assert recorded == 20
    assert (row.lease_until, row.published_at, row.expanded_at) == (None, None, None)


def test_a_task_ends_after_its_time_and_the_relay_calls_again(monkeypatch):
    monkeypatch.setattr(expansion, "PAGE", 10)
    monkeypatch.setattr(expansion, "SECONDS", 0)
    make_users(15)
    message = record()

    assert expand(message) == 0
    monkeypatch.setattr(expansion, "SECONDS", 20)
    assert expand(message) == 15


def test_the_first_slice_is_a_small_page_and_a_task_of_its_own(monkeypatch):
    """So its mails leave while the rest is recorded."""
    monkeypatch.setattr(expansion, "FIRST_PAGE", 10)
    monkeypatch.setattr(expansion, "PAGE", 20)
    make_users(55)
    message = record()

    assert [expand(message), expand(message)] == [10, 45]
    assert Broadcast.objects.get().expanded_at is not None
    assert_counts_agree()


@pytest.mark.postgresql
def test_a_page_waits_for_no_disk_and_holds_up_nobody(monkeypatch):
    """Settling mails of the Message, or pausing it, does not wait while a page is recorded."""
    make_users(5)
    message = record()
    seen = []
    made = expansion._insert

    def others_go_on(*arguments: object) -> int:
        rows = made(*arguments)
        seen.append(setting("synchronous_commit"))
        in_threads(1, lambda: hurried(lambda: stop_and_propagate(message)))
        return rows

    monkeypatch.setattr(expansion, "_insert", others_go_on)
    recorded = expansion.expand_page(message.pk)

    message.refresh_from_db()
    assert (recorded, seen, setting("synchronous_commit")) == (5, ["off"], "on")
    assert message.paused_at is not None
    assert message.flags_pending, "the rows of the page are not paused yet"


def stop_and_propagate(message: Message) -> int:
    """Pause it, and pause what the database shows of it so far: nothing."""
    outbox.pause(message)
    with transaction.atomic():
        transitions.recheck_flags([message.pk])
    changed = FlagPropagation().apply()
    assert not Message.objects.get(pk=message.pk).flags_pending
    return changed


def hurried(ask: Callable[[], int]) -> int:
    """Ask in a session that waits for no lock."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '500ms'")
    return ask()


def setting(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return str(cursor.fetchone()[0])


def test_a_broadcast_to_nobody_is_done():
    message = record()

    assert expand(message) == 0
    assert Broadcast.objects.get().expanded_at is not None


@pytest.mark.postgresql
@pytest.mark.parametrize("_", range(3))
def test_i8_two_expanders_at_once_tell_everybody_once(monkeypatch, _: int):
    """I8: even if both believe that they hold the lease."""
    monkeypatch.setattr(expansion, "PAGE", 10)
    make_users(100)
    message = record()
    together = threading.Barrier(2)

    def pages() -> int:
        together.wait()
        recorded = 0
        while (rows := expansion.expand_page(message.pk)) is not None:
            recorded += rows
        return recorded

    recorded = in_threads(2, pages)

    message.refresh_from_db()
    assert sum(recorded) == 100
    assert (message.queued, message.duplicates) == (100, 0)
    assert Delivery.objects.values("address").distinct().count() == 100
    assert connection.vendor == "postgresql"


@pytest.mark.postgresql
def test_i8_of_two_tasks_at_once_one_expands(monkeypatch):
    """I8: the lease is one conditional UPDATE."""
    monkeypatch.setattr(expansion, "PAGE", 10)
    make_users(50)
    message = record()

    recorded = in_threads(4, lambda: expand(message))

    assert sum(recorded) == 50
    assert Delivery.objects.count() == 50
    assert_counts_agree()


def test_a_task_waits_for_a_database_that_is_unavailable(monkeypatch):
    """One that failed would be published again after a minute."""
    monkeypatch.setattr(database, "RETRY_EVERY", 0)
    make_users(3)
    message = record()
    refusals = [OperationalError("away"), OperationalError("still away")]

    def refuse(execute, *query):
        if refusals:
            raise refusals.pop()
        return execute(*query)

    with connection.execute_wrapper(refuse):
        result = tasks.expand_broadcast(message.pk)

    assert result == {"message": message.pk, "recorded": 3}
    assert not refusals
