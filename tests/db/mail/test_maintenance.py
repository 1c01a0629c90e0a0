"""Maintenance: what flags, clocks and policies require in the background."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from mail import outbox
from mail.kinds import SECRET, Kind
from mail.ledger import transitions
from mail.models import Broadcast, Delivery, Lane, Message
from mail.relay import dispatch, flags, maintenance
from mail.relay.flags import FlagPropagation
from mail.transport.replies import Phase, Reply
from tests.db.mail.delivering import assert_counts_agree, bind, deliver, row, send, states
from tests.unit.mail.mails import NOTICE, RECEIPT, notice

pytestmark = pytest.mark.usefixtures("transactional_db")

State = Delivery.State


@pytest.fixture
def message(monkeypatch) -> Message:
    """A mail to seven recipients, changed in pages of three."""
    monkeypatch.setattr(flags, "PAGE", 3)
    return send(*"abcdefg")


def turn_all() -> list[int]:
    """Change page after page until nothing is left to change."""
    pages, propagation = [], FlagPropagation()
    while Message.objects.filter(flags_pending=True).exists():
        pages.append(propagation.apply())
        assert len(pages) < 20, "it never ends"
    return pages


def test_a_paused_message_is_parked_and_a_resumed_one_is_not(message: Message):
    outbox.pause(message)
    paused = turn_all()
    parked = Delivery.objects.filter(paused=True).count()
    outbox.resume(message)
    turn_all()

    assert paused == [3, 3, 1, 0]
    assert (parked, Delivery.objects.filter(paused=True).count()) == (7, 0)
    assert set(states().values()) == {"queued"}
    assert bind().size == 7
    assert_counts_agree()


def test_a_cancelled_message_is_cancelled_row_by_row(message: Message):
    Delivery.objects.filter(address="a@example.com").update(state="sent")
    Message.objects.update(queued=6, sent=1)
    outbox.pause(message)
    turn_all()

    outbox.cancel(message)
    pages = turn_all()

    b = row("b")
    message.refresh_from_db()
    assert pages == [3, 3, 0]
    assert list(states().values()) == ["sent", *["cancelled"] * 6]
    assert (b.due_at, b.paused, b.settled_at is not None) == (None, False, True)
    assert (message.flags_pending, message.cancelled) == (False, 6)
    assert_counts_agree()


def test_what_a_worker_holds_is_turned_after_it_was_released(script):
    message = send("a", "b")
    batch = bind()
    outbox.cancel(message)
    turn_all()
    assert states() == {"a": "queued", "b": "queued"}

    deliver(batch)
    turn_all()

    assert states() == {"a": "cancelled", "b": "cancelled"}
    assert script.names == []
    assert_counts_agree()


@pytest.mark.parametrize("stop", [outbox.pause, outbox.cancel])
def test_a_row_that_comes_back_during_the_last_look_is_not_forgotten(
    message: Message, monkeypatch, stop
):
    """A worker returns its rows right after the relay found none: the flag stays."""
    batch = bind()
    stop(message)
    lock = transitions.lock

    def then_released(rows):
        found = lock(rows)
        Delivery.objects.filter(batch=batch).update(batch=None)
        return found

    monkeypatch.setattr(transitions, "lock", then_released)
    FlagPropagation().apply()
    monkeypatch.undo()
    turn_all()

    expected = {"cancelled"} if stop is outbox.cancel else {"queued"}
    assert set(states().values()) == expected
    assert Delivery.objects.filter(paused=True).count() == (0 if stop is outbox.cancel else 7)


def test_flags_that_changed_since_they_were_read_are_applied_again(message: Message):
    outbox.pause(message)
    turn_all()
    stale = Message.objects.get()
    outbox.resume(message)

    flags.clear_pending(stale, Delivery.objects.none())

    message.refresh_from_db()
    assert message.flags_pending


def unsure(*names: str, kind: Kind = RECEIPT, wait: timedelta | None) -> Message:
    message = send(*names, kind=kind)
    message.deliveries.update(
        state="uncertain",
        due_at=None if wait is None else timezone.now() + wait,
        uncertainties=1,
        attempts=1,
        crashes=1,
    )
    Message.objects.filter(pk=message.pk).update(queued=0, uncertain=len(names))
    return message


OVER, AHEAD = timedelta(seconds=-1), timedelta(minutes=1)


def test_an_uncertain_mail_is_queued_when_its_wait_is_over():
    message = unsure("a", wait=OVER)
    before = row("a").message_id_header

    requeued = maintenance.requeue_uncertain()

    a = row("a")
    assert requeued == 1
    assert (a.state, a.message_id_header) == ("queued", before)
    assert (a.uncertainties, a.attempts, a.crashes) == (1, 1, 1)
    assert a.due_at <= timezone.now()
    assert a.expires_at > timezone.now() + message.give_up_after - timedelta(minutes=1)
    assert_counts_agree()


@pytest.mark.parametrize("wait", [None, AHEAD])
def test_a_held_or_waiting_mail_stays_uncertain(wait):
    unsure("a", wait=wait)

    assert maintenance.requeue_uncertain() == 0
    assert states() == {"a": "uncertain"}


@pytest.mark.parametrize("gone", ["cancelled_at", "erased_at"])
def test_an_uncertain_mail_of_a_message_that_is_over_stays(gone: str):
    message = unsure("a", wait=OVER)
    Message.objects.filter(pk=message.pk).update(**{gone: Now()})

    assert maintenance.requeue_uncertain() == 0


def test_an_uncertain_mail_is_sent_once_more_by_itself_and_then_held(script):
    script.otherwise = Reply(phase=Phase.DOT)
    send("a")
    deliver(bind())
    Delivery.objects.update(due_at=Now())
    assert maintenance.requeue_uncertain() == 1

    deliver(bind())

    assert maintenance.requeue_uncertain() == 0
    assert (row("a").state, row("a").due_at) == ("uncertain", None)
    assert len(script.offered) == 2
    assert script.offered[0].content == script.offered[1].content
    assert_counts_agree()


def finished(kind: Kind, *, age: timedelta, **counts: int) -> Message:
    message = send("a", kind=kind)
    Message.objects.filter(pk=message.pk).update(
        erase_at=F("erase_at") - age, **{"queued": 0, "sent": 1} | counts
    )
    return message


YEAR, DAY = timedelta(days=365), timedelta(days=1)


@pytest.mark.parametrize(
    ("kind", "age", "counts", "erased"),
    [
        (RECEIPT, 5 * YEAR + DAY, {}, True),
        (RECEIPT, 5 * YEAR - DAY, {}, False),
        (RECEIPT, 5 * YEAR + DAY, {"queued": 1}, False),
        (RECEIPT, 5 * YEAR + DAY, {"uncertain": 1}, False),
        (SECRET, timedelta(seconds=1), {}, True),
        (SECRET, timedelta(hours=23), {"failed": 1}, False),
        (SECRET, timedelta(hours=25), {"failed": 1}, True),
        (NOTICE, 50 * YEAR, {}, False),
    ],
)
def test_content_is_erased_when_its_time_is_over_and_nothing_waits_for_it(
    kind: Kind, age: timedelta, counts: dict[str, int], erased: bool
):
    message = finished(kind, age=age, **counts)

    assert maintenance.erase_contents() == erased

    message.refresh_from_db()
    assert (bytes(message.mime) == b"") == erased
    assert (message.text == message.html == message.subject == "") == erased
    assert (message.erased_at is not None) == erased
    assert len(message.sha256) == 64


def test_content_is_erased_once():
    finished(SECRET, age=DAY)

    assert [maintenance.erase_contents(), maintenance.erase_contents()] == [1, 0]


@pytest.mark.parametrize(
    ("expanded", "cancelled", "erased"),
    [(False, False, False), (True, False, True), (False, True, True)],
)
def test_a_broadcast_with_recipients_to_come_keeps_its_content(
    expanded: bool, cancelled: bool, erased: bool
):
    kind = Kind(name="tests.brief", lane=Lane.BULK, keep_for=timedelta(0))
    message = outbox.broadcast(notice(), kind=kind, audience="tests.users", params={})
    Message.objects.update(erase_at=timezone.now() - DAY)
    if expanded:
        Broadcast.objects.update(expanded_at=Now())
    if cancelled:
        outbox.cancel(message)

    assert maintenance.erase_contents() == erased


def test_content_that_is_sent_again_meanwhile_is_not_erased():
    """Between the look and the erasure a person resends the failed mail."""
    message = finished(SECRET, age=timedelta(hours=30), sent=0, failed=1)
    message.deliveries.update(state="failed")
    done: list[bool] = []

    def resend_after_the_look(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if sql.startswith("SELECT") and not done:
            done.append(True)
            assert outbox.resend(message.deliveries.all()) == 1
        return result

    with connection.execute_wrapper(resend_after_the_look):
        erased = maintenance.erase_contents()

    message.refresh_from_db()
    assert (erased, message.erased_at) == (0, None)
    assert bytes(message.mime) != b""


def test_a_parked_mail_sent_again_by_a_person_waits_for_the_resume():
    message = send("a")
    message.deliveries.update(state="failed")
    Message.objects.update(queued=0, failed=1)
    outbox.pause(message)
    turn_all()

    outbox.resend(message.deliveries.all())
    turn_all()

    assert dispatch.bind(Lane.TRANSACTIONAL, 10) == []
    outbox.resume(message)
    turn_all()
    assert bind().size == 1
