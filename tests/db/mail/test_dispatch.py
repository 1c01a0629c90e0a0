"""Dispatch: what is bound, what is published, and how much of it."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mail import outbox, tasks
from mail.conf.rate import Rate
from mail.models import Batch, Broadcast, Delivery, Lane, Message, Transport
from mail.relay import dispatch
from mail.relay.publisher import BrokerUnavailable
from mail.worker import claims, expansion
from tests.db.mail.delivering import row, send
from tests.db.mail.threads import in_threads
from tests.unit.mail.mails import NOTICE, RECEIPT, notice

pytestmark = pytest.mark.usefixtures("transactional_db")

LANE = Lane.TRANSACTIONAL
LATER = timedelta(minutes=5)


class Broker:
    """Records what it is given, and fails after some."""

    def __init__(self, *, takes: int = 1_000_000) -> None:
        self.takes = takes
        self.published: list[tuple[str, int, str]] = []
        self.waiting: int | None = None

    def publish(self, task, object_id: int, *, queue: str) -> None:
        if len(self.published) >= self.takes:
            raise BrokerUnavailable("unavailable")
        self.published.append((task.name, object_id, queue))

    def ready(self, queue: str) -> int:
        return self.waiting if self.waiting is not None else len(self.published)

    @property
    def ids(self) -> list[int]:
        return [object_id for _, object_id, _ in self.published]


@pytest.fixture
def broker() -> Broker:
    return Broker()


def expanded() -> Message:
    """A broadcast whose recipients, all the users, are recorded and wait."""
    message = outbox.broadcast(notice(), kind=NOTICE, audience="tests.users", params={})
    expansion.expand(message.pk, is_stopping=lambda: False)
    return message


def sizes() -> list[int]:
    return list(Batch.objects.order_by("pk").values_list("size", flat=True))


def test_what_is_due_is_bound_and_published_to_its_lane(broker: Broker):
    send("a", "b", "c")
    send("d", kind=NOTICE)

    published = [dispatch.dispatch(lane, broker) for lane in (LANE, Lane.BULK, LANE)]

    first, second = Batch.objects.order_by("pk")
    assert published == [1, 1, 0]
    assert broker.published == [
        ("mail.deliver_batch", first.pk, "mail.transactional"),
        ("mail.deliver_batch", second.pk, "mail.bulk"),
    ]
    assert (first.size, second.size) == (3, 1)
    assert first.published_at is not None
    assert set(Delivery.objects.filter(lane=LANE).values_list("batch", flat=True)) == {first.pk}


@pytest.mark.parametrize(
    "change",
    [
        {"due_at": timezone.now() + timedelta(days=1)},
        {"state": "sent"},
        {"state": "uncertain"},
        {"paused": True},
    ],
)
def test_what_is_not_due_is_not_bound(broker: Broker, change):
    send("a")
    Delivery.objects.update(**change)

    assert dispatch.dispatch(LANE, broker) == 0


@pytest.mark.parametrize("stop", [outbox.pause, outbox.cancel])
def test_a_stopped_message_is_not_bound_though_its_rows_have_not_changed_yet(broker: Broker, stop):
    stop(send("a"))
    send("b")

    dispatch.dispatch(LANE, broker)

    assert (row("a").batch_id, sizes()) == (None, [1])


@pytest.mark.parametrize("stop", [outbox.pause, outbox.cancel])
def test_what_is_left_of_stopped_broadcasts_is_stepped_over(stop):
    """What was due before, between and after them is bound in its order."""
    names = ["before", "between", "after"]
    for name in names:
        get_user_model().objects.create_user(name, f"user-{name}@example.com")
    broadcasts = []
    for name in names:
        send(name, kind=NOTICE)
        broadcasts.append(expanded())
    *stopped, going_on = broadcasts
    for message in stopped:
        stop(message)

    first, second = dispatch.bind(Lane.BULK, len(names))

    bound = Delivery.objects.order_by("due_at", "pk")
    assert [one.address for one in bound.filter(batch=first)] == [
        f"{x}@example.com" for x in names
    ]
    assert {one.message_id for one in bound.filter(batch=second)} == {going_on.pk}


@pytest.mark.parametrize(
    ("ms_per_mail", "size"),
    [(20, 50), (1, 1000), (0, 1000), (0.3, 1000), (2.5, 400), (340, 3), (1000, 1), (600_000, 1)],
)
def test_a_batch_is_about_a_second_of_work(ms_per_mail: float, size: int):
    assert dispatch.batch_size(ms_per_mail) == size


@pytest.mark.parametrize(("rate", "size"), [("40/s", 4), ("1/m", 1), ("10000/d", 1000)])
def test_a_batch_is_a_share_of_what_may_leave_in_a_second(settings, rate: str, size: int):
    """A receipt waits for a slot, and under a shared rate a Batch of a second takes long."""
    settings.MAIL_RATE = Rate.parse(rate, name="MAIL_RATE")

    assert dispatch.batch_size(1) == size


def test_what_falls_due_joins_a_batch_that_waits_for_a_worker(broker: Broker):
    """A thousand receipts that come one by one do not become a thousand tasks."""
    for number in range(5):
        send(f"u{number}")
        dispatch.dispatch(LANE, broker)
    assert (sizes(), len(broker.ids)) == ([5], 1)

    Batch.objects.update(token=uuid4())  # a worker claims it
    send("late")
    dispatch.dispatch(LANE, broker)

    assert sizes() == [5, 1]
    assert Delivery.objects.filter(batch=broker.ids[0]).count() == 5


def test_a_batch_that_is_half_full_takes_nothing_more(broker: Broker):
    Transport.objects.update(ms_per_mail=250)
    send("a", "b", "c")
    dispatch.dispatch(LANE, broker)
    send("d")

    dispatch.dispatch(LANE, broker)

    assert sizes() == [3, 1]


def test_a_batch_is_filled_up_to_its_size(broker: Broker):
    Transport.objects.update(ms_per_mail=250)
    send("a")
    dispatch.dispatch(LANE, broker)
    send("b", "c", "d", "e", "f")

    dispatch.dispatch(LANE, broker)

    assert sizes() == [4, 2]


def test_nothing_joins_a_batch_that_waits_too_long(broker: Broker):
    """Its task may be lost: the others do not wait until it is published again."""
    send("first")
    dispatch.dispatch(LANE, broker)
    Batch.objects.update(created_at=Now() - dispatch.GATHER)
    send("second")

    dispatch.dispatch(LANE, broker)

    assert sizes() == [1, 1]


@pytest.mark.parametrize("suspect", ["first", "second"])
def test_a_suspect_shares_its_batch_with_nobody(broker: Broker, suspect: str):
    for name in ("first", "second"):
        send(name)
        Delivery.objects.filter(address=f"{suspect}@example.com").update(crashes=1)
        dispatch.dispatch(LANE, broker)

    assert sizes() == [1, 1]


def test_who_claims_a_batch_finds_all_who_joined_it():
    for number in range(30):
        send(f"first{number}")
        (batch,) = dispatch.bind(LANE, 500)
        send(f"second{number}")
        taken: list[int] = []

        def claim(pk: int = batch.pk, taken: list[int] = taken) -> int:
            claimed = claims.take(pk)
            assert claimed
            taken.extend(delivery.pk for delivery in claimed.deliveries)
            return 1

        _, joined = in_threads(1, claim, lambda: dispatch.join(LANE, 500))

        bound = Delivery.objects.filter(batch=batch)
        assert sorted(taken) == sorted(bound.values_list("pk", flat=True))
        assert len(taken) == 1 + joined
        Delivery.objects.update(state="sent", due_at=None)


def test_a_batch_keeps_to_the_limit_of_the_settings(settings):
    settings.MAIL_BATCH_LIMIT = 10

    assert dispatch.batch_size(1) == 10


def test_the_oldest_leave_first(broker: Broker):
    send("late")
    send("early", send_at=timezone.now() - LATER)

    (batch,) = dispatch.bind(LANE, 1, room=1)

    assert row("early").batch_id == batch.pk


def test_small_batches_are_bound_many_in_one_transaction(broker: Broker):
    """Each commit waits for the disk, and so would each Batch."""
    send(*(f"u{number}" for number in range(7)))
    Transport.objects.update(ms_per_mail=500)

    with CaptureQueriesContext(connection) as queries:
        dispatch.dispatch(LANE, broker)

    looks = [one for one in queries if '"mail_delivery"."crashes"' in one["sql"]]
    assert (sizes(), len(looks)) == ([2, 2, 2, 1], 2)
    assert not Batch.objects.filter(published_at=None).exists()


def test_the_window_bounds_the_open_batches(broker: Broker, settings):
    """A broadcast to a million people never becomes a million messages."""
    settings.MAIL_WINDOW = 4
    Transport.objects.update(ms_per_mail=500)
    send(*(f"u{number}" for number in range(20)))

    published = [dispatch.dispatch(LANE, broker), dispatch.dispatch(LANE, broker)]
    Batch.objects.filter(pk__in=broker.ids[:3]).update(closed_at=Now())
    published.append(dispatch.dispatch(LANE, broker))

    assert published == [4, 0, 3]
    assert sizes() == [2] * 7


def test_a_suspect_travels_alone_and_counts_for_the_window(broker: Broker, settings):
    """I11: a mail that killed its worker cannot harm others, even if there are many."""
    settings.MAIL_WINDOW = 5
    send(*"abcdefgh")
    Delivery.objects.exclude(address__in=["d@example.com", "e@example.com"]).update(crashes=1)

    dispatch.dispatch(LANE, broker)

    assert sizes() == [1] * 5
    assert len(broker.ids) == 5

    Batch.objects.update(closed_at=Now())
    dispatch.dispatch(LANE, broker)
    assert sorted(sizes()[5:]) == [1, 2]


def test_a_held_lane_dispatches_nothing(broker: Broker):
    send("a")
    send("b", kind=NOTICE)
    Transport.objects.filter(lane=LANE).update(held_until=Now() + LATER)

    assert dispatch.dispatch(LANE, broker) == 0
    assert dispatch.dispatch(Lane.BULK, broker) == 1

    Transport.objects.update(held_until=Now())
    assert dispatch.dispatch(LANE, broker) == 1


def test_what_was_bound_when_the_broker_left_is_published_later():
    broker = Broker(takes=0)
    send("a")
    with pytest.raises(BrokerUnavailable):
        dispatch.dispatch(LANE, broker)
    broker.takes = 10

    published = dispatch.republish(LANE, broker)

    batch = Batch.objects.get()
    assert (published, broker.ids) == (1, [batch.pk])
    assert batch.published_at is not None


def open_batches(count: int, *, age: timedelta) -> None:
    for number in range(count):
        send(f"u{number}")
        dispatch.bind(LANE, 1)
    Batch.objects.update(published_at=timezone.now() - age)


@pytest.mark.parametrize(("waiting", "published"), [(0, 5), (2, 3), (4, 1), (5, 0), (9, 0)])
def test_no_more_is_published_again_than_the_broker_lost(
    broker: Broker, waiting: int, published: int
):
    """A night without workers does not pile up tasks."""
    open_batches(5, age=timedelta(minutes=2))
    broker.waiting = waiting

    assert dispatch.republish(LANE, broker) == published
    assert broker.ids == sorted(broker.ids)


def test_a_night_without_workers_builds_no_storm(broker: Broker):
    """If the broker loses nothing and nobody claims, every id is in the queue once."""
    open_batches(3, age=timedelta(minutes=2))
    for _ in range(10):
        dispatch.republish(LANE, broker)
        Batch.objects.update(published_at=timezone.now() - timedelta(minutes=2))

    assert len(broker.ids) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"published_at": timezone.now() + timedelta(hours=1)},
        {"token": "00000000-0000-0000-0000-000000000001"},
        {"closed_at": timezone.now()},
    ],
)
def test_what_is_fresh_claimed_or_closed_is_not_published_again(broker: Broker, change):
    open_batches(1, age=timedelta(minutes=2))
    broker.waiting = 0
    Batch.objects.update(**change)

    assert dispatch.republish(LANE, broker) == 0


def test_a_held_lane_publishes_nothing_again_until_the_hold_is_over(broker: Broker):
    open_batches(2, age=timedelta(minutes=2))
    broker.waiting = 0
    Transport.objects.update(held_until=Now() + LATER)
    held = dispatch.republish(LANE, broker)
    Transport.objects.update(held_until=Now())

    assert (held, dispatch.republish(LANE, broker)) == (0, 2)


def test_the_broker_is_not_asked_when_nothing_is_overdue(broker: Broker):
    def ready(_: str) -> int:
        raise AssertionError("asked")

    broker.ready = ready  # type: ignore[method-assign]

    assert dispatch.republish(LANE, broker) == 0


def test_a_broadcast_is_published_until_its_recipients_are_known(broker: Broker):
    message = outbox.broadcast(notice(), kind=NOTICE, audience="tests.users", params={})

    published = [
        dispatch.dispatch_expansions(Lane.BULK, broker),
        dispatch.dispatch_expansions(Lane.BULK, broker),
    ]
    Broadcast.objects.update(published_at=timezone.now() - timedelta(minutes=2))
    published.append(dispatch.dispatch_expansions(Lane.BULK, broker))
    Broadcast.objects.update(published_at=None, expanded_at=Now())
    published.append(dispatch.dispatch_expansions(Lane.BULK, broker))

    assert published == [1, 0, 1, 0]
    assert broker.published == [("mail.expand_broadcast", message.pk, "mail.bulk")] * 2


def test_an_expansion_that_is_over_before_it_is_noted_is_followed_by_the_next(
    broker: Broker, monkeypatch
):
    """The first slice takes milliseconds: what is left must not wait until the task is overdue."""
    get_user_model().objects.bulk_create(
        get_user_model()(username=name, email=f"{name}@example.com") for name in "abc"
    )
    monkeypatch.setattr(expansion, "FIRST_PAGE", 2)
    outbox.broadcast(notice(), kind=NOTICE, audience="tests.users", params={})
    keep = broker.publish

    def publish_and_work(task, object_id: int, *, queue: str) -> None:
        keep(task, object_id, queue=queue)
        expansion.expand(object_id, is_stopping=lambda: False)

    broker.publish = publish_and_work  # type: ignore[method-assign]

    assert [dispatch.dispatch_expansions(Lane.BULK, broker) for _ in range(3)] == [1, 1, 0]
    assert Delivery.objects.count() == 3


@pytest.mark.parametrize("stop", [outbox.pause, outbox.cancel])
def test_a_stopped_broadcast_is_not_published(broker: Broker, stop):
    stop(outbox.broadcast(notice(), kind=NOTICE, audience="tests.users", params={}))

    assert dispatch.dispatch_expansions(Lane.BULK, broker) == 0


def test_a_broadcast_that_somebody_expands_is_left_alone(broker: Broker):
    outbox.broadcast(notice(), kind=NOTICE, audience="tests.users", params={})
    Broadcast.objects.update(lease_until=Now() + LATER)

    assert dispatch.dispatch_expansions(Lane.BULK, broker) == 0


def test_i10_a_task_carries_an_id_and_nothing_else(broker: Broker):
    """I10: tasks take one number; results hold ids and counts."""
    get_user_model().objects.create(username="kim", email="kim@example.com", first_name="Kim")
    message = outbox.broadcast(notice(), kind=NOTICE, audience="tests.users", params={})

    result = tasks.expand_broadcast(message.pk)

    assert result == {"message": message.pk, "recorded": 1}
    assert tasks.deliver_batch(1_000_000_000) is None


@pytest.mark.postgresql
@pytest.mark.parametrize("_", range(3))
def test_two_relays_at_once_bind_each_mail_once(_: int):
    """Nothing breaks if two relays lead for a moment."""
    send(*(f"u{number}" for number in range(60)))

    def relay() -> int:
        return sum(batch.size for _ in range(4) for batch in dispatch.bind(LANE, 5))

    bound = in_threads(4, relay)

    assert sum(bound) == 60
    assert sum(sizes()) == 60
    assert not Delivery.objects.filter(batch=None).exists()


@pytest.mark.postgresql
def test_a_relay_passes_over_rows_that_another_one_binds():
    """SKIP LOCKED: it neither waits nor binds them."""
    send("a", "b", "c", kind=RECEIPT)

    with transaction.atomic():
        list(Delivery.objects.filter(address="a@example.com").select_for_update())
        (size,) = in_threads(1, lambda: sum(batch.size for batch in dispatch.bind(LANE, 10)))

    assert size == 2
    assert row("a").batch_id is None


def test_whoever_was_turned_away_by_a_hold_is_published_again_after_it(broker: Broker):
    """A worker may come before the relay has noted what it published."""
    keep = broker.publish

    def publish_and_turn_away(task, object_id: int, *, queue: str) -> None:
        keep(task, object_id, queue=queue)
        Transport.objects.update(held_until=Now() + LATER)
        assert claims.take(object_id) is None

    broker.publish = publish_and_turn_away  # type: ignore[method-assign]
    send("a")
    dispatch.dispatch(LANE, broker)
    broker.publish, broker.waiting = keep, 0  # type: ignore[method-assign]
    Transport.objects.update(held_until=None)

    assert dispatch.republish(LANE, broker) == 1


@pytest.mark.postgresql
def test_a_broadcast_whose_page_is_being_recorded_is_not_waited_for(broker: Broker):
    outbox.broadcast(notice(), kind=NOTICE, audience="tests.users", params={})
    Broadcast.objects.update(lease_until=Now() - LATER)
    worker = connection.copy()
    worker.set_autocommit(False)
    try:
        with worker.cursor() as page, connection.cursor() as cursor:
            page.execute("SELECT FROM mail_broadcast FOR UPDATE")
            cursor.execute("SET lock_timeout = '2s'")
            assert dispatch.dispatch_expansions(Lane.BULK, broker) == 0
    finally:
        worker.rollback()
        worker.close()

    assert dispatch.dispatch_expansions(Lane.BULK, broker) == 1
