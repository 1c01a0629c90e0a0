"""Rescue: the outcome for a dead worker's Batch, and when a worker counts as dead."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from mail import outbox
from mail.models import Attempt, Batch, Delivery, Lane, Message
from mail.relay import dispatch, rescue
from mail.relay.rescue import Rescuer
from mail.worker.checkpoint import Checkpoint
from tests.db.mail.delivering import (
    Script,
    assert_counts_agree,
    bind,
    deliver,
    row,
    send,
    states,
    take,
)
from tests.unit.mail.mails import NOTICE, RECEIPT

pytestmark = pytest.mark.usefixtures("transactional_db")

NAMES = ["a", "b", "c", "d", "e"]


def died(*, through: str = "", begun: bool, kind=RECEIPT) -> Batch:
    """A Batch to five people, claimed by a worker that died with its cursor at one of them."""
    send(*NAMES, kind=kind)
    batch = bind(kind.lane)
    take(batch)
    cursor = row(through).pk if through else 0
    Batch.objects.filter(pk=batch.pk).update(
        begun=begun, through_id=cursor, lease_until=timezone.now() - timedelta(seconds=1)
    )
    batch.refresh_from_db()
    return batch


def settle(batch: Batch) -> bool:
    return rescue.settle(batch.pk, batch.token, batch.lease_until)


def test_of_a_worker_that_died_before_it_closed_its_batch_nothing_is_left(script, monkeypatch):
    """The results are written before the Batch is closed: the rescue closes it, and no more."""
    monkeypatch.setattr(Checkpoint, "close", lambda *_: None)
    send(*NAMES)
    batch = deliver(bind())

    assert (batch.closed_at, settle(batch)) == (None, True)

    batch.refresh_from_db()
    assert batch.closed_at is not None
    assert set(states().values()) == {"sent"}
    assert not Attempt.objects.exists()
    assert_counts_agree()


@pytest.mark.parametrize(
    ("through", "begun", "found"),
    [
        ("", False, "queued queued queued queued queued"),
        ("", True, "uncertain queued queued queued queued"),
        ("a", True, "sent uncertain queued queued queued"),
        ("c", True, "sent sent sent uncertain queued"),
        ("d", True, "sent sent sent sent uncertain"),
        ("e", True, "sent sent sent sent sent"),
    ],
)
def test_i4_of_a_dead_worker_at_most_one_mail_is_uncertain(through, begun, found):
    """I4: accepted up to the cursor, the next uncertain if an end of data was due, others queued."""
    batch = died(through=through, begun=begun)

    assert settle(batch)

    batch.refresh_from_db()
    assert list(states().values()) == found.split()
    assert (batch.closed_at is not None, batch.rescued) == (True, True)
    assert not Delivery.objects.filter(state="queued", batch__isnull=False).exists()
    assert_counts_agree()


def test_what_was_accepted_is_noted_as_such():
    settle(died(through="b", begun=True))

    a = row("a")
    assert (a.code, a.reply, a.attempts) == ("250", "accepted, reply not kept", 1)
    assert (a.settled_at is not None, a.due_at) == (True, None)


def test_the_uncertain_mail_leaves_an_attempt_and_is_resent_once(settings):
    settings.MAIL_UNCERTAIN_WAIT = timedelta(minutes=15)
    batch = died(through="b", begun=True)

    settle(batch)

    c = row("c")
    attempt = Attempt.objects.get()
    assert (attempt.delivery_id, attempt.outcome, attempt.batch_id) == (
        c.pk,
        "uncertain",
        batch.pk,
    )
    assert abs(c.due_at - timezone.now() - timedelta(minutes=15)) < timedelta(minutes=1)
    assert (c.uncertainties, c.attempts) == (1, 1)


def test_the_uncertain_mail_of_a_holding_kind_waits_for_a_person():
    settle(died(begun=True, kind=NOTICE))

    assert (row("a").state, row("a").due_at) == ("uncertain", None)


def test_what_was_settled_in_its_own_row_stays_as_it_is():
    """I9: a refused, deferred or uncertain mail below or above the cursor is not touched."""
    batch = died(through="d", begun=True)
    Delivery.objects.filter(address="a@example.com").update(state="failed", code="550")
    Delivery.objects.filter(address="b@example.com").update(batch=None, attempts=1)
    Delivery.objects.filter(address="c@example.com").update(state="uncertain")
    Message.objects.update(queued=3, failed=1, uncertain=1)

    settle(batch)

    assert list(states().values()) == ["failed", "queued", "uncertain", "sent", "uncertain"]
    assert (row("a").code, row("b").attempts) == ("550", 1)
    assert_counts_agree()


def test_i4_after_a_crash_of_the_server_every_open_mail_above_the_cursor_is_uncertain():
    """I4: checkpoints may be missing if PostgreSQL has crashed since the claim."""
    batch = died(through="b", begun=False)
    Batch.objects.update(server_started="1999-12-31 23:59:59+00")

    settle(batch)

    assert list(states().values()) == ["sent", "sent", "uncertain", "uncertain", "uncertain"]
    assert Attempt.objects.filter(outcome="uncertain").count() == 3
    assert_counts_agree()


def test_rows_of_a_stopped_message_are_turned_after_the_rescue():
    batch = died(begun=False)
    message = Message.objects.get()
    outbox.cancel(message)
    Message.objects.update(flags_pending=False)

    settle(batch)

    message.refresh_from_db()
    assert message.flags_pending


def test_i11_a_mail_that_kills_three_workers_fails_as_poison(script: Script):
    """I11: and after its first kill it gets a Batch of its own."""
    batch = died(begun=False)
    settle(batch)
    sizes = []
    for _ in range(2):
        batches = dispatch.bind(Lane.TRANSACTIONAL, 500)
        suspect = batches[0]
        sizes.append(suspect.size)
        for other in batches[1:]:
            deliver(other)
        take(suspect)
        suspect.refresh_from_db()
        settle(suspect)

    a = row("a")
    assert sizes == [1, 1]
    assert (a.state, a.code, a.crashes) == ("failed", "poison", 3)
    assert list(states().values()) == ["failed", "sent", "sent", "sent", "sent"]
    assert Attempt.objects.get().code == "poison"
    assert_counts_agree()


def test_a_poisonous_mail_sent_again_by_a_person_starts_afresh():
    batch = died(begun=False)
    Delivery.objects.filter(address="a@example.com").update(crashes=2)
    settle(batch)
    assert row("a").code == "poison"

    outbox.resend(Delivery.objects.filter(state="failed"))

    assert (row("a").state, row("a").crashes) == ("queued", 0)


def test_a_batch_is_settled_once():
    batch = died(begun=True)
    settle(batch)

    assert not settle(batch)
    assert Attempt.objects.count() == 1
    assert_counts_agree()


@pytest.mark.parametrize("change", ["renewed", "closed", "claimed by another"])
def test_i13_a_worker_that_came_back_is_not_rescued(change: str):
    """I13: the lease moved between the two looks."""
    batch = died(begun=True)
    Batch.objects.update(
        **{
            "renewed": {"lease_until": Now() + timedelta(seconds=8)},
            "closed": {"closed_at": Now()},
            "claimed by another": {"token": "00000000-0000-0000-0000-000000000001"},
        }[change]
    )

    assert not settle(batch)
    assert set(states().values()) == {"queued"}


def test_i9_a_250_that_comes_after_the_rescue_settles_the_mail_as_sent(script: Script):
    """I9: the worker was not dead, only slow; what it learned is a fact."""
    send("a", "b")
    batch = bind()

    def slow(callbacks):
        callbacks.before_end_of_data()
        Batch.objects.filter(pk=batch.pk).update(lease_until=timezone.now() - timedelta(hours=1))
        batch.refresh_from_db()
        assert settle(batch)
        assert states() == {"a": "uncertain", "b": "queued"}
        return script.otherwise

    script.on("a", slow)

    deliver(batch)

    assert states() == {"a": "sent", "b": "queued"}
    assert row("a").due_at is None
    assert script.names == ["a", "b"]
    assert_counts_agree()


class Clock:
    """A monotonic clock that goes when it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, settings) -> Clock:
    settings.MAIL_LEASE = timedelta(seconds=8)
    clock = Clock()
    monkeypatch.setattr(rescue, "time", clock)
    return clock


def test_i13_a_lease_seen_expired_for_a_whole_lease_is_rescued(clock: Clock):
    """I13."""
    died(begun=True)
    rescuer = Rescuer()

    found = []
    for seconds in (0, 4, 3.9, 0.1, 4):
        clock.now += seconds
        found.append(rescuer.rescue())

    assert found == [0, 0, 0, 1, 0]


def test_i13_a_living_lease_is_left_alone(clock: Clock):
    died(begun=True)
    Batch.objects.update(lease_until=Now() + timedelta(hours=1))
    rescuer = Rescuer()
    rescuer.rescue()
    clock.now += 1000

    assert rescuer.rescue() == 0


def test_i13_a_lease_that_moved_is_watched_again(clock: Clock):
    """I13: the same lease at both ends."""
    died(begun=True)
    rescuer = Rescuer()
    rescuer.rescue()
    clock.now += 7
    Batch.objects.update(lease_until=timezone.now() - timedelta(milliseconds=1))

    found = []
    for seconds in (0, 7, 1):
        clock.now += seconds
        found.append(rescuer.rescue())

    assert found == [0, 0, 1]


@pytest.mark.parametrize("cuts", [1, 3])
def test_i13_a_new_database_session_starts_the_watch_again(clock: Clock, cuts: int):
    """I13: in an outage of the database nobody could renew, so living workers look dead."""
    died(begun=True)
    rescuer = Rescuer()
    for _ in range(cuts):
        rescuer.rescue()
        clock.now += 7
        connection.close()

    found = []
    for seconds in (0, 7, 1):
        clock.now += seconds
        found.append(rescuer.rescue())

    assert found == [0, 0, 1]


def test_i13_no_session_is_no_unbroken_session(clock: Clock):
    """I13: closed before each look, the connection is a new one each time."""
    died(begun=True)
    rescuer = Rescuer()

    found = []
    for _ in range(4):
        connection.close()
        found.append(rescuer.rescue())
        clock.now += 8

    assert found == [0, 0, 0, 0]


def test_a_rescued_batch_continues_with_the_next_worker(script: Script):
    settle(died(through="b", begun=True))
    for batch in dispatch.bind(Lane.TRANSACTIONAL, 500):
        deliver(batch)

    assert list(states().values()) == ["sent", "sent", "uncertain", "sent", "sent"]
    assert script.names == ["d", "e"]
