"""Claims and checkpoints: who may write an end of data, and until when."""

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from psycopg.pq import TransactionStatus

from mail.ledger import database_server
from mail.models import Batch, Lane, Transport
from mail.worker import claims, lease
from mail.worker.lease import LeaseLost
from mail.worker.slot import SLOT
from tests.db.mail.delivering import bind, run_of, send, take
from tests.db.mail.threads import in_threads
from tests.unit.mail.mails import NOTICE, RECEIPT

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def batch(transactional_db) -> Batch:
    send("kim", "lee", "park")
    return bind()


def clock_of(*moments: float) -> Callable[[], float]:
    """A clock that shows these times in turn and stays at the last."""
    left = iter(moments)
    return lambda: next(left, moments[-1])


def test_a_claim_holds_the_open_deliveries_by_id(batch: Batch):
    """I4: in the order of their ids."""
    claim = take(batch)

    batch.refresh_from_db()
    assert [one.address for one in claim.deliveries] == [
        "kim@example.com",
        "lee@example.com",
        "park@example.com",
    ]
    assert sorted(one.pk for one in claim.deliveries) == [one.pk for one in claim.deliveries]
    assert (claim.lane, claim.lease.token) == (Lane.TRANSACTIONAL, batch.token)
    assert {one.message_id for one in claim.deliveries} == set(claim.messages)
    assert not batch.begun
    assert batch.claimed_at is not None
    assert batch.lease_until is not None


def test_i3_what_is_claimed_twice_is_claimed_once(batch: Batch):
    """I3: a claim is one conditional UPDATE; a repeated task finds nothing to do."""
    take(batch)

    assert claims.take(batch.pk) is None


def test_i3_a_claim_that_went_unheard_continues_with_its_token(batch: Batch):
    """I3: the claim was written but its confirmation lost; a retry still owns it."""
    token = uuid.uuid4()
    claims.take(batch.pk, token)

    again, another = claims.take(batch.pk, token), claims.take(batch.pk)

    assert again is not None
    assert (again.lease.token, len(again.deliveries), another) == (token, 3, None)


@pytest.mark.postgresql
@pytest.mark.parametrize("_", range(3))
def test_i3_eight_workers_claim_one_batch_once(batch: Batch, _: int):
    """I3: at once, in sessions of their own."""
    together = threading.Barrier(8)

    def claim() -> int:
        together.wait()
        return claims.take(batch.pk) is not None

    assert sorted(in_threads(8, claim)) == [0] * 7 + [1]


def test_a_closed_or_unknown_batch_is_not_claimed(batch: Batch):
    Batch.objects.update(closed_at=Now())

    assert claims.take(batch.pk) is None
    assert claims.take(batch.pk + 1) is None


def test_a_held_lane_is_not_claimed_and_the_batch_is_published_again(batch: Batch):
    Batch.objects.update(published_at=Now())
    hold = Transport.objects.filter(lane=Lane.TRANSACTIONAL)
    hold.update(held_until=Now() + timedelta(minutes=1))

    turned_away = claims.take(batch.pk)

    batch.refresh_from_db()
    assert turned_away is None
    assert (batch.token, batch.published_at) == (None, None)

    hold.update(held_until=Now() - timedelta(minutes=1))
    assert claims.take(batch.pk) is not None


def test_a_hold_of_one_lane_is_none_of_the_other(batch: Batch):
    Transport.objects.filter(lane=Lane.BULK).update(held_until=Now() + timedelta(minutes=1))

    assert claims.take(batch.pk) is not None


def test_a_hold_leaves_a_batch_in_a_workers_hands_alone(batch: Batch):
    Batch.objects.update(published_at=Now())
    take(batch)
    Transport.objects.update(held_until=Now() + timedelta(minutes=1))

    claims.take(batch.pk)

    batch.refresh_from_db()
    assert batch.published_at is not None


def test_i3_the_deadline_starts_before_the_claim_and_ends_before_the_lease(
    batch: Batch, monkeypatch, settings
):
    """I3: the worker's own clock, read before the statement, plus lease minus margin."""
    settings.MAIL_LEASE = timedelta(seconds=8)
    monkeypatch.setattr(lease, "boottime", clock_of(1000, 1004))

    claim = take(batch)

    assert claim.lease.deadline == 1006


@pytest.mark.parametrize(("seconds", "allowed"), [(5.9, True), (6.0, False), (60.0, False)])
def test_i3_no_end_of_data_follows_a_checkpoint_that_took_too_long(
    batch: Batch, monkeypatch, settings, seconds: float, allowed: bool
):
    """I3: past the deadline no end of data is written, whatever the checkpoint returned."""
    settings.MAIL_LEASE = timedelta(seconds=8)
    run = run_of(batch)
    run.claim.lease.clock = clock_of(1000, 1000 + seconds)

    if allowed:
        run.before_end_of_data()
    else:
        with pytest.raises(LeaseLost):
            run.before_end_of_data()


def test_i3_a_checkpoint_renews_lease_and_deadline(batch: Batch, monkeypatch, settings):
    """I3: while it waits for a slow reply the worker renews."""
    settings.MAIL_LEASE = timedelta(seconds=8)
    run = run_of(batch)
    Batch.objects.update(lease_until=timezone.now() - timedelta(hours=1))
    run.claim.lease.clock = clock_of(5000)

    run.while_waiting()

    batch.refresh_from_db()
    assert run.claim.lease.deadline == 5006
    assert batch.lease_until > timezone.now()
    assert not batch.begun


def test_i4_a_checkpoint_moves_the_cursor_and_says_that_an_end_of_data_was_due(batch: Batch):
    """I4: begun is set right before the first end of data; the cursor is durable before each."""
    run = run_of(batch)
    run.results.through_id = run.claim.deliveries[0].pk

    run.before_end_of_data()

    batch.refresh_from_db()
    assert (batch.begun, batch.through_id) == (True, run.claim.deliveries[0].pk)


def test_i4_a_renewal_does_not_undo_a_begun_end_of_data(batch: Batch):
    run = run_of(batch)
    run.before_end_of_data()

    run.while_waiting()

    batch.refresh_from_db()
    assert batch.begun


@pytest.mark.parametrize("change", [{"token": uuid.uuid4()}, {"closed_at": Now()}])
def test_i3_a_checkpoint_that_changes_no_row_stops_the_worker(batch: Batch, change):
    """I3: 0 rows = stop."""
    run = run_of(batch)
    Batch.objects.update(**change)

    with pytest.raises(LeaseLost):
        run.before_end_of_data()


def test_i3_a_renewal_never_raises_and_the_next_checkpoint_tells(batch: Batch):
    run = run_of(batch)
    deadline = run.claim.lease.deadline
    Batch.objects.update(closed_at=Now())

    run.while_waiting()

    assert run.claim.lease.deadline == deadline
    with pytest.raises(LeaseLost):
        run.before_end_of_data()


def test_a_checkpoint_tells_of_a_recall_until_it_is_heard(batch: Batch):
    run = run_of(batch)
    run.before_end_of_data()
    assert not run.claim.checkpoint.flags_changed

    Batch.objects.update(flags_changed=True)
    run.before_end_of_data()

    assert run.claim.checkpoint.flags_changed
    assert run.claim.read_stopped_messages() == set()
    assert not run.claim.checkpoint.flags_changed
    batch.refresh_from_db()
    assert not batch.flags_changed


def test_boottime_never_goes_back():
    moments = [lease.boottime() for _ in range(100)]

    assert moments == sorted(moments)


def test_the_start_of_the_server_is_one_for_all_its_sessions(batch: Batch):
    run = run_of(batch)

    batch.refresh_from_db()
    assert batch.server_started == database_server.server_started()
    assert run.claim.batch_id == batch.pk


def kept() -> list[psycopg.Connection]:
    return list(SLOT.sessions.open.values())


@pytest.mark.postgresql
def test_marks_are_prepared_on_a_session_of_their_own(batch: Batch):
    """I4: the checkpoint is the one prepared statement outside the ORM, in autocommit."""
    run = run_of(batch)
    run.before_end_of_data()
    run.before_end_of_data()

    (session,) = kept()
    found = session.execute("SELECT statement FROM pg_prepared_statements").fetchall()
    mine = session.info.backend_pid
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        orm = cursor.fetchone()[0]
    assert session.autocommit
    assert mine != orm
    assert any("UPDATE mail_batch" in statement for (statement,) in found)


@pytest.mark.postgresql
@pytest.mark.parametrize(("kind", "commit"), [(RECEIPT, "off"), (NOTICE, "on")])
def test_marks_wait_for_the_disk_only_where_the_kind_holds(transactional_db, kind, commit):
    """I4: checkpoints use synchronous_commit=off, or on for kinds that hold."""
    send("kim", kind=kind)
    run = run_of(bind(kind.lane))

    run.before_end_of_data()

    (session,) = kept()
    assert session.execute("SHOW synchronous_commit").fetchone() == (commit,)


def cut_session_of_marks() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [kept()[0].info.backend_pid])


@pytest.mark.postgresql
def test_a_checkpoint_session_that_was_cut_is_reopened(batch: Batch):
    run = run_of(batch)
    run.before_end_of_data()
    cut_session_of_marks()

    with pytest.raises(psycopg.OperationalError):
        run.before_end_of_data()
    run.before_end_of_data()

    batch.refresh_from_db()
    assert batch.begun


@pytest.mark.postgresql
def test_a_checkpoint_that_is_under_way_is_waited_for_before_end_of_data(
    batch: Batch, monkeypatch
):
    """I3, I4: it is begun with the cursor of that moment, and the deadline counts from there."""
    run = run_of(batch)
    run.before_end_of_data()
    run.claim.lease.clock = clock_of(1000.0, 1001.0)
    run.results.through_id = 7

    run.prepare_end_of_data()
    assert kept()[0].pgconn.transaction_status == TransactionStatus.ACTIVE
    run.before_end_of_data()

    batch.refresh_from_db()
    assert (batch.begun, batch.through_id) == (True, 7)
    assert run.claim.lease.deadline == 1000.0 + run.claim.lease.term


@pytest.mark.postgresql
def test_i3_a_checkpoint_under_way_that_changes_no_row_stops_the_worker(batch: Batch):
    run = run_of(batch)
    Batch.objects.update(token=uuid.uuid4())

    run.prepare_end_of_data()

    with pytest.raises(LeaseLost):
        run.before_end_of_data()


@pytest.mark.postgresql
def test_a_checkpoint_under_way_on_a_session_that_is_cut_is_repeated(batch: Batch):
    run = run_of(batch)
    run.before_end_of_data()
    cut_session_of_marks()

    def mark() -> None:
        run.prepare_end_of_data()
        run.before_end_of_data()

    with pytest.raises(psycopg.OperationalError):
        mark()
    mark()

    batch.refresh_from_db()
    assert batch.begun


@pytest.mark.postgresql
def test_a_cursor_never_goes_back(batch: Batch):
    run = run_of(batch)
    run.results.through_id = 1000
    run.before_end_of_data()
    run.results.through_id = 5

    run.before_end_of_data()

    batch.refresh_from_db()
    assert batch.through_id == 1000


def test_a_claim_whose_confirmation_was_lost_is_taken_up_with_its_token(batch: Batch):
    """I3: the database became unavailable between the claim and its confirmation."""
    token = uuid.uuid4()
    first = claims.take(batch.pk, token)

    again, another = claims.take(batch.pk, token), claims.take(batch.pk)

    assert first is not None
    assert again is not None
    assert again.lease.token == token
    assert another is None
