"""Claims and marks: who may write a dot, and until when."""

import threading
import uuid
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from psycopg.pq import TransactionStatus

from mail.models import Batch, Lane, Transport
from mail.worker import checkpoint, claims
from mail.worker.checkpoint import LeaseLost
from tests.db.mail.delivering import bind, send, take
from tests.db.mail.threads import in_threads
from tests.unit.mail.mails import NOTICE, RECEIPT

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def batch(transactional_db) -> Batch:
    send("kim", "lee", "park")
    return bind()


def boottime_says(monkeypatch, *moments: float) -> None:
    """Let CLOCK_BOOTTIME run through these moments and stay at the last."""
    left = iter(moments)
    monkeypatch.setattr(claims, "boottime", lambda: next(left, moments[-1]))


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
    assert (claim.lane, claim.token) == (Lane.TRANSACTIONAL, batch.token)
    assert {one.message_id for one in claim.deliveries} == set(claim.messages)
    assert not batch.begun
    assert batch.claimed_at is not None
    assert batch.lease_until is not None


def test_i3_what_is_claimed_twice_is_claimed_once(batch: Batch):
    """I3: a claim is one conditional UPDATE; a task that comes again finds nothing to do."""
    take(batch)

    assert claims.take(batch.pk) is None


def test_i3_a_claim_that_went_unheard_goes_on_with_its_token(batch: Batch):
    """I3: the database took the claim and could not say so; asked again, nobody else has it."""
    token = uuid.uuid4()
    claims.take(batch.pk, token)

    again, another = claims.take(batch.pk, token), claims.take(batch.pk)

    assert again is not None
    assert (again.token, len(again.deliveries), another) == (token, 3, None)


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
    boottime_says(monkeypatch, 1000, 1004)

    claim = take(batch)

    assert claim.deadline == 1006


@pytest.mark.parametrize(("seconds", "allowed"), [(5.9, True), (6.0, False), (60.0, False)])
def test_i3_no_dot_follows_a_mark_that_took_too_long(
    batch: Batch, monkeypatch, settings, seconds: float, allowed: bool
):
    """I3: past the deadline no terminating dot is written, however the mark itself went."""
    settings.MAIL_LEASE = timedelta(seconds=8)
    claim = take(batch)
    boottime_says(monkeypatch, 1000, 1000 + seconds)

    if allowed:
        claim.before_dot()
    else:
        with pytest.raises(LeaseLost):
            claim.before_dot()


def test_i3_a_mark_renews_lease_and_deadline(batch: Batch, monkeypatch, settings):
    """I3: while it waits for a slow reply the worker renews."""
    settings.MAIL_LEASE = timedelta(seconds=8)
    claim = take(batch)
    Batch.objects.update(lease_until=timezone.now() - timedelta(hours=1))
    boottime_says(monkeypatch, 5000)

    claim.while_waiting()

    batch.refresh_from_db()
    assert claim.deadline == 5006
    assert batch.lease_until > timezone.now()
    assert not batch.begun


def test_i4_a_mark_moves_the_cursor_and_says_that_a_dot_was_due(batch: Batch):
    """I4: begun is set just before the first dot; the cursor is durable before each."""
    claim = take(batch)
    claim.through_id = claim.deliveries[0].pk

    claim.before_dot()

    batch.refresh_from_db()
    assert (batch.begun, batch.through_id) == (True, claim.deliveries[0].pk)


def test_i4_a_sign_of_life_does_not_unsay_the_dot(batch: Batch):
    claim = take(batch)
    claim.before_dot()

    claim.while_waiting()

    batch.refresh_from_db()
    assert batch.begun


@pytest.mark.parametrize("change", [{"token": uuid.uuid4()}, {"closed_at": Now()}])
def test_i3_a_mark_that_changes_no_row_stops_the_worker(batch: Batch, change):
    """I3: 0 rows = stop."""
    claim = take(batch)
    Batch.objects.update(**change)

    with pytest.raises(LeaseLost):
        claim.before_dot()


def test_i3_a_sign_of_life_never_raises_and_before_dot_tells(batch: Batch):
    claim = take(batch)
    deadline = claim.deadline
    Batch.objects.update(closed_at=Now())

    claim.while_waiting()

    assert claim.deadline == deadline
    with pytest.raises(LeaseLost):
        claim.before_dot()


def test_a_mark_tells_of_a_recall_until_it_is_heard(batch: Batch):
    claim = take(batch)
    claim.before_dot()
    assert not claim.recalled

    Batch.objects.update(recalled=True)
    claim.before_dot()

    assert claim.recalled
    assert claim.stopped_messages() == set()
    assert not claim.recalled
    batch.refresh_from_db()
    assert not batch.recalled


def test_boottime_never_goes_back():
    moments = [claims.boottime() for _ in range(100)]

    assert moments == sorted(moments)


def test_the_start_of_the_server_is_one_for_all_its_sessions(batch: Batch):
    claim = take(batch)

    batch.refresh_from_db()
    assert batch.server_started == claims.server_started()
    assert claim.batch_id == batch.pk


def kept() -> list[psycopg.Connection]:
    return list(checkpoint._kept.__dict__.values())


@pytest.mark.postgresql
def test_marks_are_prepared_on_a_session_of_their_own(batch: Batch):
    """I4: the mark is the one prepared statement outside the ORM, in autocommit."""
    claim = take(batch)
    claim.before_dot()
    claim.before_dot()

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
    """I4: marks use synchronous_commit=off, kinds that hold use on."""
    send("kim", kind=kind)
    claim = take(bind(kind.lane))

    claim.before_dot()

    (session,) = kept()
    assert session.execute("SHOW synchronous_commit").fetchone() == (commit,)


def cut_session_of_marks() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [kept()[0].info.backend_pid])


@pytest.mark.postgresql
def test_a_marks_session_that_was_cut_is_opened_anew(batch: Batch):
    claim = take(batch)
    claim.before_dot()
    cut_session_of_marks()

    with pytest.raises(psycopg.OperationalError):
        claim.before_dot()
    claim.before_dot()

    batch.refresh_from_db()
    assert batch.begun


@pytest.mark.postgresql
def test_a_mark_that_is_under_way_is_waited_for_before_the_dot(batch: Batch, monkeypatch):
    """I3, I4: it is begun with the cursor of that moment, and the deadline counts from there."""
    claim = take(batch)
    claim.before_dot()
    boottime_says(monkeypatch, 1000.0, 1001.0)
    claim.through_id = 7

    claim.dot_is_near()
    assert kept()[0].pgconn.transaction_status == TransactionStatus.ACTIVE
    claim.before_dot()

    batch.refresh_from_db()
    assert (batch.begun, batch.through_id) == (True, 7)
    assert claim.deadline == 1000.0 + claim.term


@pytest.mark.postgresql
def test_i3_a_mark_under_way_that_changes_no_row_stops_the_worker(batch: Batch):
    claim = take(batch)
    Batch.objects.update(token=uuid.uuid4())

    claim.dot_is_near()

    with pytest.raises(LeaseLost):
        claim.before_dot()


@pytest.mark.postgresql
def test_a_mark_under_way_on_a_session_that_is_cut_is_made_anew(batch: Batch):
    claim = take(batch)
    claim.before_dot()
    cut_session_of_marks()

    def mark() -> None:
        claim.dot_is_near()
        claim.before_dot()

    with pytest.raises(psycopg.OperationalError):
        mark()
    mark()

    batch.refresh_from_db()
    assert batch.begun


@pytest.mark.postgresql
def test_a_cursor_never_goes_back(batch: Batch):
    claim = take(batch)
    claim.through_id = 1000
    claim.before_dot()
    claim.through_id = 5

    claim.before_dot()

    batch.refresh_from_db()
    assert batch.through_id == 1000


def test_a_claim_whose_confirmation_was_lost_is_taken_up_with_its_token(batch: Batch):
    """I3: the database went away between the claim and the reply to it."""
    token = uuid.uuid4()
    first = claims.take(batch.pk, token)

    again, another = claims.take(batch.pk, token), claims.take(batch.pk)

    assert first is not None
    assert again is not None
    assert again.token == token
    assert another is None
