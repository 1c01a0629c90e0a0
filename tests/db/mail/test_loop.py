"""The relay's loop: what it does, in order, and its pauses after errors."""

import threading

import pytest
from django.conf import settings as django_settings
from django.db import OperationalError, connection
from django.db.models.functions import Now

from mail import outbox
from mail.models import Batch, Broadcast, Lane, Message, RelayLease, Transport
from mail.relay import dispatch, flags, loop
from mail.relay.leader import Leader
from mail.relay.loop import AFTER_TROUBLE, Relay
from mail.relay.publisher import BrokerUnavailable
from tests.db.mail.clock import Clock
from tests.db.mail.delivering import send, states
from tests.unit.mail.mails import NOTICE, notice

pytestmark = pytest.mark.usefixtures("transactional_db")


class Broker:
    """A publisher whose broker may be unavailable."""

    def __init__(self) -> None:
        self.away = False
        self.ids: list[int] = []
        self.closed = 0
        self.checks = 0

    def check(self) -> None:
        self.checks += 1

    def publish(self, task, object_id: int, *, queue: str) -> None:
        if self.away:
            raise BrokerUnavailable("unavailable")
        self.ids.append(object_id)

    def ready(self, queue: str) -> int:
        if self.away:
            raise BrokerUnavailable("unavailable")
        return 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    return clock


@pytest.fixture
def relay(clock: Clock) -> Relay:
    relay = Relay()
    relay.publisher = Broker()  # type: ignore[assignment]
    return relay


def test_a_round_publishes_what_is_due_and_rests(relay: Relay):
    """Mails due within one interval are dispatched together in one Batch."""
    send("a")

    rests = [relay.step(), relay.step()]

    assert rests == [django_settings.MAIL_RELAY_INTERVAL] * 2
    assert relay.publisher.ids == [Batch.objects.get().pk]


def test_a_window_that_empties_fast_is_filled_again_at_once(relay: Relay, settings):
    settings.MAIL_WINDOW = 4
    Transport.objects.update(ms_per_mail=1000)
    send(*(f"u{number}" for number in range(5)))
    first = relay.step()

    Batch.objects.filter(pk=relay.publisher.ids[0]).update(closed_at=Now())
    second = relay.step()

    assert (first, second) == (0, settings.MAIL_RELAY_INTERVAL)
    assert len(relay.publisher.ids) == 5


def test_receipts_are_published_before_announcements(relay: Relay):
    send("a", kind=NOTICE)
    send("b")

    relay.step()

    lanes = [Batch.objects.get(pk=pk).lane for pk in relay.publisher.ids]
    assert lanes == [Lane.TRANSACTIONAL, Lane.BULK]


def test_receipts_are_published_though_the_queue_of_announcements_takes_nothing(relay: Relay):
    outbox.broadcast(notice(), kind=NOTICE, audience="tests.users", params={})
    send("a")
    keep = relay.publisher.publish

    def publish(task, object_id: int, *, queue: str) -> None:
        if queue == "mail.bulk":
            raise BrokerUnavailable("no quorum")
        keep(task, object_id, queue=queue)

    relay.publisher.publish = publish  # type: ignore[method-assign]

    relay.step()

    assert relay.publisher.ids == [Batch.objects.get().pk]


def test_a_round_expands_broadcasts_through_workers(relay: Relay):
    message = outbox.broadcast(notice(), kind=NOTICE, audience="tests.users", params={})

    relay.step()

    assert relay.publisher.ids == [message.pk]
    assert Broadcast.objects.get().expanded_at is None


def test_a_relay_that_does_not_lead_only_waits(relay: Relay):
    Leader().is_leading()
    send("a")

    rest = relay.step()

    assert rest >= django_settings.MAIL_RELAY_INTERVAL
    assert relay.publisher.ids == []


def test_maintenance_is_done_once_a_second_and_again_while_it_is_busy(relay: Relay, clock: Clock):
    message = send("a")
    outbox.cancel(message)
    relay.step()
    relay.step()

    message.refresh_from_db()
    assert (states(), message.flags_pending) == ({"a": "cancelled"}, False)

    other = send("b")
    outbox.cancel(other)
    relay.step()
    assert states()["b"] == "queued"
    clock.now += loop.MAINTENANCE_EVERY
    relay.step()
    assert states()["b"] == "cancelled"


def test_a_round_that_changed_rows_is_followed_at_once(relay: Relay, monkeypatch):
    monkeypatch.setattr(flags, "PAGE", 2)
    outbox.cancel(send("a", "b", "c"))

    rests = [relay.step() for _ in range(3)]

    assert rests == [0, 0, django_settings.MAIL_RELAY_INTERVAL]
    assert set(states().values()) == {"cancelled"}


def test_a_broker_that_is_unavailable_is_retried_after_a_pause(relay: Relay, clock: Clock):
    send("a")
    relay.publisher.away = True
    relay.step()
    relay.publisher.away = False

    relay.step()
    assert relay.publisher.ids == []

    clock.now += AFTER_TROUBLE
    relay.step()
    assert relay.publisher.ids == [Batch.objects.get().pk]


def test_the_queues_are_looked_at_every_few_seconds(relay: Relay, clock: Clock):
    for seconds in (0, 1, loop.CHECK_QUEUES_EVERY - 1, 1):
        clock.now += seconds
        relay.step()

    assert relay.publisher.checks == 2


def test_while_the_broker_is_unavailable_maintenance_continues(relay: Relay, clock: Clock):
    relay.publisher.away = True
    send("due")
    message = send("a")
    outbox.cancel(message)
    for _ in range(3):
        relay.step()
        clock.now += loop.MAINTENANCE_EVERY

    assert states()["a"] == "cancelled"


@pytest.mark.parametrize("place", ["is_leading", "apply", "dispatch"])
def test_a_database_that_is_unavailable_is_retried_after_a_pause(
    relay: Relay, clock: Clock, monkeypatch, place: str
):
    send("a")

    def away(*_: object) -> None:
        raise OperationalError("unavailable")

    with monkeypatch.context() as patch:
        owner = {"is_leading": relay.leader, "apply": relay.flags, "dispatch": dispatch}[place]
        patch.setattr(owner, place, away)
        rest = relay.step()
        closed = connection.connection is None
    clock.now += rest

    relay.step()

    assert (rest, closed) == (AFTER_TROUBLE, True)
    assert relay.publisher.ids == [Batch.objects.get().pk]


def test_i13_the_session_is_kept_between_rounds(relay: Relay, settings):
    """I13: a rescue asks for one unbroken session, so the loop may not close it."""
    relay.step()
    session = connection.connection

    for _ in range(3):
        relay.step()

    assert connection.connection is session


def test_a_relay_told_to_stop_ends_and_steps_down(relay: Relay):
    send("a")
    stop = threading.Event()
    published = relay.publisher.publish

    def then_stop(task, object_id: int, *, queue: str) -> None:
        published(task, object_id, queue=queue)
        stop.set()

    relay.publisher.publish = then_stop  # type: ignore[method-assign]

    relay.run(stop)

    assert relay.publisher.ids == [Batch.objects.get().pk]
    assert relay.publisher.closed == 1
    assert RelayLease.objects.get().lease_until is None


def test_a_relay_ends_though_the_database_is_unavailable(relay: Relay, monkeypatch):
    def away() -> None:
        raise OperationalError("unavailable")

    monkeypatch.setattr(relay.leader, "step_down", away)
    stop = threading.Event()
    stop.set()

    relay.run(stop)

    assert relay.publisher.closed == 1


def test_i10_the_log_of_a_relay_holds_no_address(relay: Relay, caplog):
    """I10."""
    caplog.set_level("DEBUG", logger="mail")
    send("kim")
    relay.publisher.away = True
    relay.step()
    outbox.cancel(Message.objects.get())
    relay.step()

    assert "example.com" not in caplog.text
