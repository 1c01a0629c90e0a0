"""A run of a claimed Batch: what leaves, in which order, and how it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.utils import timezone

from mail import outbox
from mail.models import Attempt, Batch, Delivery, Lane, Message, Transport
from mail.relay import dispatch
from mail.transport.base import Callbacks
from mail.transport.replies import Phase, Reply
from mail.worker import batch_run, database, expansion, slot
from mail.worker.rendering import Renderer
from mail.worker.results import Results
from mail.worker.slot import SLOT, Pace
from tests.db.mail.delivering import (
    LOST,
    TAKEN,
    Script,
    assert_counts_agree,
    bind,
    deliver,
    lane_row,
    make_due,
    row,
    said,
    send,
    states,
)
from tests.db.mail.threads import in_threads
from tests.harness.smtp import Rule, SmtpServer
from tests.unit.mail.mails import NOTICE, notice

pytestmark = pytest.mark.usefixtures("transactional_db")


def then(answer: Reply, *what: Callable[[], object]) -> Callable[[Callbacks], Reply]:
    """Write a proper end of data, and do something before the server replies."""

    def take(callbacks: Callbacks) -> Reply:
        callbacks.before_end_of_data()
        for do in what:
            do()
        return answer

    return take


def steal(batch: Batch) -> Callable[[], object]:
    """Let the claim be lost, as after a rescue."""
    return lambda: Batch.objects.filter(pk=batch.pk).update(closed_at=Now(), rescued=True)


def test_each_mail_of_a_batch_ends_as_the_server_answered(mail_server: SmtpServer):
    mail_server.on("rcpt", address="gone@*", reply="550 5.1.1 no such user")
    mail_server.on("dot", address="busy@*", reply="451 4.3.0 later")
    mail_server.on("dot", address="unsure@*", drop=True, takes=True)
    message = send("kim", "gone", "busy", "unsure", "lee")

    batch = deliver(bind())

    message.refresh_from_db()
    assert states() == {
        "kim": "sent",
        "gone": "failed",
        "busy": "queued",
        "unsure": "uncertain",
        "lee": "sent",
    }
    assert mail_server.recipients() == {
        "kim@example.com": 1,
        "unsure@example.com": 1,
        "lee@example.com": 1,
    }
    assert (message.sent, message.failed, message.queued, message.uncertain) == (2, 1, 1, 1)
    assert_counts_agree()
    assert batch.closed_at is not None
    assert not Delivery.objects.filter(state="queued", batch__isnull=False).exists()


def test_what_the_server_said_is_on_record(mail_server: SmtpServer):
    mail_server.on("rcpt", address="gone@*", reply="550 5.1.1 no such user")
    mail_server.on("dot", address="busy@*", reply="451 4.3.0 later")
    mail_server.on("dot", address="unsure@*", drop=True, takes=True)
    send("kim", "gone", "busy", "unsure")

    batch = deliver(bind())

    host = f"127.0.0.1:{mail_server.port}"
    kim, gone = row("kim"), row("gone")
    assert (kim.code, kim.enhanced, kim.reply, kim.host) == ("250", "2.0.0", "taken", host)
    assert (gone.code, gone.enhanced, gone.reply) == ("550", "5.1.1", "no such user")
    assert kim.settled_at is not None
    assert gone.settled_at is not None
    tries = Attempt.objects.order_by("pk").values_list(
        "delivery__address", "outcome", "phase", "code", "enhanced", "host", "batch"
    )
    assert list(tries) == [
        ("gone@example.com", "failed", "rcpt", "550", "5.1.1", host, batch.pk),
        ("busy@example.com", "deferred", "dot", "451", "4.3.0", host, batch.pk),
        ("unsure@example.com", "uncertain", "dot", "", "", host, batch.pk),
    ]


def test_a_mail_arrives_with_the_message_id_on_record_at_every_attempt(mail_server: SmtpServer):
    """I6: fixed before the first attempt, and it never changes."""
    mail_server.on("dot", drop=True, takes=True, times=1)
    message = send("kim")
    deliver(bind())
    outbox.resend(message.deliveries.all(), include_uncertain=True)

    deliver(bind())

    assert [taken.message_id for taken in mail_server.taken] == [message.message_id] * 2


def test_i4_mails_leave_in_the_order_of_their_ids(script: Script):
    """I4: whatever the order they were due in."""
    send("kim", "lee", "park", "choi")
    for number, pk in enumerate(Delivery.objects.order_by("pk").values_list("pk", flat=True)):
        Delivery.objects.filter(pk=pk).update(due_at=Now() - timedelta(seconds=number))

    deliver(bind())

    assert script.names == ["kim", "lee", "park", "choi"]


def test_i2_no_transaction_is_open_while_smtp_is_spoken(script: Script):
    """I2."""
    open_then: list[bool] = []
    script.otherwise = then(TAKEN, lambda: open_then.append(connection.in_atomic_block))
    script.on("gone", said(550))
    send("kim", "gone", "lee")

    deliver(bind())

    assert open_then == [False, False]


@dataclass(eq=False, kw_only=True)
class Asking(Rule):
    """A rule that only asks something at its phase, from the server's own thread."""

    ask: Callable[[], object]
    makes_wait = True

    async def wait(self) -> None:
        self.ask()


@pytest.mark.postgresql
def test_i4_each_result_is_durable_before_the_next_end_of_data(mail_server: SmtpServer):
    """I4: as seen by the SMTP server, in its own session, at each end of data."""
    params = connection.get_connection_params()
    params.pop("cursor_factory")
    mail_server.on("rcpt", address="gone@*", reply="550 5.1.1 no such user")
    send("kim", "gone", "lee", "park")
    kim, gone, lee, park = Delivery.objects.order_by("pk").values_list("pk", flat=True)
    batch = bind()
    with psycopg.connect(**params, autocommit=True) as session:
        seen: list[tuple[bool, int, str]] = []

        def ask() -> None:
            mark = session.execute("SELECT begun, through_id FROM mail_batch").fetchone()
            state = session.execute("SELECT state FROM mail_delivery WHERE id = %s", [gone])
            seen.append((*mark, state.fetchone()[0]))

        mail_server.rules = [*mail_server.rules, Asking(phase="dot", ask=ask)]

        deliver(batch)

    assert seen == [(True, 0, "queued"), (True, gone, "failed"), (True, lee, "failed")]
    assert states() == {"kim": "sent", "gone": "failed", "lee": "sent", "park": "sent"}
    assert kim < park


@pytest.mark.postgresql
def test_i3_a_batch_whose_task_came_eight_times_is_delivered_once(mail_server: SmtpServer):
    """I3: a task that is delivered eight times at once sends each mail once."""
    send(*(f"u{number}" for number in range(20)))
    batch = bind()

    def work() -> int:
        batch_run.deliver(batch.pk, is_stopping=lambda: False)
        SLOT.close()
        return 0

    in_threads(8, work)

    assert set(mail_server.recipients().values()) == {1}
    assert len(mail_server.taken) == 20
    assert_counts_agree()


def test_a_task_that_is_resent_delivers_nothing(script: Script):
    send("kim")
    batch = bind()
    for _ in range(5):
        deliver(batch)

    assert script.names == ["kim"]


def test_i11_a_mail_whose_content_cannot_be_made_fails_alone(script: Script, caplog):
    """I11 and I10: its reason is recorded, and no address is logged."""
    message = outbox.broadcast(
        notice(body=f"{outbox.NAME} 님께\n"), kind=NOTICE, audience="tests.users", params={}
    )
    for name in ("kim", "lee", "park"):
        Delivery.objects.create(
            message=message,
            lane=Lane.BULK,
            address=f"{name}@example.com",
            name=f"{name}\nBcc: everybody@example.com" if name == "lee" else name,
            due_at=Now(),
            expires_at=Now() + timedelta(hours=1),
        )
    Message.objects.update(queued=3)

    deliver(bind(Lane.BULK))

    assert states() == {"kim": "sent", "lee": "failed", "park": "sent"}
    assert row("lee").reply.startswith("content: ")
    assert Attempt.objects.get().phase == "content"
    assert script.names == ["kim", "park"]
    assert "example.com" not in caplog.text
    assert_counts_agree()


def test_an_erased_content_is_never_sent(script: Script):
    message = send("kim")
    batch = bind()
    Message.objects.update(mime=b"", erased_at=Now())

    deliver(batch)

    assert script.names == []
    assert states() == {"kim": "failed"}
    assert message.deliveries.get().reply.startswith("content: ")


def test_i11_a_server_that_is_not_there_holds_the_lane_and_spends_no_attempt(
    mail_server: SmtpServer,
):
    """I11."""
    send("kim", "lee")
    mail_server.stop()
    try:
        batch = deliver(bind())
    finally:
        mail_server.start()

    lane = lane_row()
    assert states() == {"kim": "queued", "lee": "queued"}
    assert (row("kim").attempts, row("kim").crashes, Attempt.objects.count()) == (0, 0, 0)
    assert lane.held_until > timezone.now()
    assert "connect" in lane.reason
    assert lane_row(Lane.BULK).held_until is None
    assert (batch.token, batch.published_at) == (None, None)

    Transport.objects.update(held_until=Now())
    deliver(batch)
    assert states() == {"kim": "sent", "lee": "sent"}


def test_i11_no_lease_runs_out_while_a_server_does_not_answer(script: Script):
    """I11: the connection comes before the claim, so a slow one makes no worker look dead."""
    script.closed = Reply(phase=Phase.CONNECT)
    send("kim")
    batch = deliver(bind())
    assert (script.opened, batch.token, script.names) == ([0], None, [])

    deliver(batch)
    assert script.opened == [0]

    Transport.objects.update(held_until=Now())
    script.closed = None
    deliver(batch)
    assert (script.opened, script.names) == ([0, 0], ["kim"])
    deliver(batch)
    assert script.opened == [0, 0]


def test_a_lane_held_again_and_again_waits_longer_until_a_mail_is_taken(script: Script):
    script.otherwise = said(421, phase=Phase.MAIL)
    waits = []
    for _ in range(3):
        send("kim")
        deliver(bind())
        waits.append(round((lane_row().held_until - timezone.now()).total_seconds()))
        Transport.objects.update(held_until=Now())
    script.otherwise = TAKEN
    deliver(bind())

    assert waits == [15, 30, 60]
    assert lane_row().holds_in_a_row == 0


def test_a_hold_in_force_stays_as_it_is(script: Script):
    """A server error does not shorten an operator's "stop sending"."""
    send("kim")
    batch = bind()
    until = timezone.now() + timedelta(days=365)

    def stop_sending() -> None:
        Transport.objects.update(held_until=until, held_by="boss", reason="stop")

    def trouble(_: Callbacks) -> Reply:
        stop_sending()
        return said(421, phase=Phase.MAIL)

    script.on("kim", trouble)

    deliver(batch)

    lane = lane_row()
    assert (lane.held_until, lane.held_by, lane.reason) == (until, "boss", "stop")


def test_i11_throttling_of_one_mail_defers_it_and_holds_the_lane(script: Script):
    """I11: the mail is not at fault; it waits, the others wait, no attempt is spent."""
    script.on("lee", said(421, "4.7.0", phase=Phase.DOT))
    send("kim", "lee", "park")

    deliver(bind())

    lee = row("lee")
    assert states() == {"kim": "sent", "lee": "queued", "park": "queued"}
    assert (lee.attempts, lee.batch_id, row("park").batch_id) == (0, None, None)
    assert lee.due_at > timezone.now() + timedelta(seconds=50)
    assert row("park").due_at <= timezone.now()
    assert (Attempt.objects.get().outcome, Attempt.objects.get().scope) == (
        "deferred",
        "transport",
    )
    assert lane_row().held_until > timezone.now()
    assert script.names == ["kim", "lee"]


@pytest.mark.parametrize("loss", [LOST, said(0, phase=Phase.DATA), said(0, phase=Phase.CONTENT)])
def test_three_losses_in_a_row_hold_the_lane(script: Script, loss: Reply):
    loss = Reply(phase=loss.phase)
    for name in ("b", "c", "d"):
        script.on(name, loss)
    send("a", "b", "c", "d", "e")

    deliver(bind())

    assert script.names == ["a", "b", "c", "d"]
    assert row("e").batch_id is None
    assert lane_row().held_until > timezone.now()


def test_losses_apart_from_each_other_hold_nothing(script: Script):
    for name in ("a", "b", "d", "e"):
        script.on(name, LOST)
    send("a", "b", "c", "d", "e")

    deliver(bind())

    assert lane_row().held_until is None
    assert list(states().values()) == ["uncertain", "uncertain", "sent", "uncertain", "uncertain"]


def test_losses_one_after_the_other_hold_the_lane_though_each_has_a_batch_of_its_own(
    script: Script,
):
    """A server that dies after every end of data: three mails are uncertain, not all."""
    script.otherwise = LOST
    send("a", "b", "c", "d")

    for _ in range(3):
        (batch,) = dispatch.bind(Lane.TRANSACTIONAL, 1, room=1)
        deliver(batch)

    assert lane_row().held_until > timezone.now()
    assert list(states().values()) == ["uncertain", "uncertain", "uncertain", "queued"]


def test_in_staging_every_envelope_goes_to_one_address(mail_server: SmtpServer, settings):
    settings.MAIL_REDIRECT_TO = "staging@moa.example"
    send("kim", "lee")

    deliver(bind())

    assert mail_server.recipients() == {"staging@moa.example": 2}
    assert states() == {"kim": "sent", "lee": "sent"}
    assert mail_server.taken[0].mail["To"] == "kim@example.com, lee@example.com"


def test_a_mail_past_its_time_fails_unsent_and_alone(script: Script):
    send("kim", "lee", "park")
    batch = bind()
    Delivery.objects.filter(address="lee@example.com").update(expires_at=Now())

    deliver(batch)

    lee = row("lee")
    assert script.names == ["kim", "park"]
    assert (lee.state, lee.code, lee.due_at) == ("failed", "expired", None)
    assert_counts_agree()


def test_a_worker_told_to_stop_finishes_the_current_mail_and_releases_the_rest(script: Script):
    send("kim", "lee", "park", "choi")
    stopping: list[bool] = []
    script.on("lee", then(TAKEN, lambda: stopping.append(True)))

    batch = deliver(bind(), is_stopping=lambda: bool(stopping))

    assert states() == {"kim": "sent", "lee": "sent", "park": "queued", "choi": "queued"}
    assert (row("park").batch_id, row("park").crashes) == (None, 0)
    assert batch.closed_at is not None
    assert deliver(bind()).size == 2
    assert script.names == ["kim", "lee", "park", "choi"]


def failing(monkeypatch: pytest.MonkeyPatch, place: object, name: str, times: int) -> None:
    """Make the database unavailable for the first calls of a function."""
    works = getattr(place, name)
    left = iter(range(times))

    def perhaps(*arguments, **options):
        if next(left, None) is not None:
            raise OperationalError("the database is unavailable")
        return works(*arguments, **options)

    monkeypatch.setattr(place, name, perhaps)


@pytest.mark.parametrize(
    ("place", "write"),
    [(Results, "settle"), (Results, "close"), (Results, "expire"), (Pace, "measure")],
)
def test_no_result_is_lost_while_the_database_is_unavailable(
    script: Script, monkeypatch, place: type, write: str
):
    """A server's reply is not forgotten, and is written once."""
    monkeypatch.setattr(database, "RETRY_EVERY", 0)
    failing(monkeypatch, place, write, 5)
    script.on("gone", said(550, "5.1.1"))
    script.on("unsure", LOST)
    send("kim", "gone", "unsure", "late", "lee")
    batch = bind()
    Delivery.objects.filter(address="late@example.com").update(expires_at=Now())

    deliver(batch)

    assert states() == {
        "kim": "sent",
        "gone": "failed",
        "unsure": "uncertain",
        "late": "failed",
        "lee": "sent",
    }
    assert Attempt.objects.count() == 2
    assert_counts_agree()


def test_a_result_whose_commit_went_unheard_is_written_once(script: Script, monkeypatch):
    """The write arrived but its confirmation did not: writing again changes nothing."""
    monkeypatch.setattr(database, "RETRY_EVERY", 0)
    works, calls = Results.settle, []

    def unheard(*arguments) -> bool:
        settled = works(*arguments)
        calls.append(settled)
        if len(calls) == 1:
            raise OperationalError("the reply was lost")
        return settled

    monkeypatch.setattr(Results, "settle", unheard)
    script.on("gone", said(550, "5.1.1"))
    send("gone", "kim")

    deliver(bind())

    assert len(calls) == 2
    assert states() == {"gone": "failed", "kim": "sent"}
    assert (Attempt.objects.count(), row("gone").attempts) == (1, 1)
    assert_counts_agree()


@pytest.mark.parametrize("error", [OperationalError("away"), psycopg.OperationalError("away")])
def test_a_database_that_is_unavailable_before_end_of_data_stops_the_batch_unharmed(
    script: Script, error
):
    """No end of data is written without a checkpoint; what was accepted is recorded."""
    script.on("lee", error)
    send("kim", "lee", "park")

    batch = deliver(bind())

    assert states() == {"kim": "sent", "lee": "queued", "park": "queued"}
    assert (row("lee").attempts, row("lee").batch_id, row("lee").crashes) == (0, None, 0)
    assert batch.closed_at is not None
    assert_counts_agree()


def test_a_database_that_is_unavailable_while_content_is_read_fails_no_mail(
    script: Script, monkeypatch
):
    failing(monkeypatch, Renderer, "_read", 1)
    send("kim", "lee")

    deliver(bind())
    deliver(bind())

    assert states() == {"kim": "sent", "lee": "sent"}
    assert Attempt.objects.count() == 0


def test_i5_what_was_accepted_is_recorded_though_the_claim_is_lost(script: Script):
    """I5: a 250 is a fact. I3: a worker that lost the claim writes no further end of data."""
    send("kim", "lee", "park")
    batch = bind()
    script.on("kim", then(TAKEN, steal(batch)))

    deliver(batch)

    assert states() == {"kim": "sent", "lee": "queued", "park": "queued"}
    assert script.names == ["kim", "lee"]
    assert {row("lee").batch_id, row("park").batch_id} == {batch.pk}
    assert_counts_agree()


@pytest.mark.parametrize("state", ["uncertain", "failed", "cancelled", "queued", "sent"])
def test_i9_a_late_250_settles_any_state_as_sent(script: Script, state: str):
    """I9: any → sent by a late 250, counted once."""
    message = send("kim")
    batch = bind()
    settled = {"state": state, "batch": None, "paused": state == "queued"}
    counts = {"queued": 0} | {state: 1}
    script.on(
        "kim",
        then(
            TAKEN,
            steal(batch),
            lambda: Delivery.objects.update(**settled),
            lambda: Message.objects.update(**counts),
        ),
    )

    deliver(batch)

    message.refresh_from_db()
    kim = row("kim")
    assert (kim.state, kim.paused, kim.attempts) == ("sent", False, 0 if state == "sent" else 1)
    assert message.sent == 1
    assert_counts_agree()


@pytest.mark.parametrize("answer", [said(550, "5.1.1"), LOST, said(450), said(421)])
def test_who_lost_the_claim_changes_nothing_but_facts(script: Script, answer: Reply):
    send("kim")
    batch = bind()

    def refuse(_: Callbacks) -> Reply:
        steal(batch)()
        return answer

    script.on("kim", refuse)
    before = list(Delivery.objects.values())

    deliver(batch)

    assert list(Delivery.objects.values()) == before
    assert Attempt.objects.count() == 0
    assert_counts_agree()


@pytest.mark.parametrize("stop", [outbox.pause, outbox.cancel])
def test_a_message_stopped_before_the_claim_is_not_sent(
    script: Script, stop: Callable[[Message], None]
):
    first, second = send("kim", "lee"), send("park")
    batch = bind()
    stop(first)

    deliver(batch)

    first.refresh_from_db()
    assert script.names == ["park"]
    assert {row("kim").batch_id, row("lee").batch_id} == {None}
    assert first.flags_pending
    assert states()["park"] == "sent"
    assert not Message.objects.get(pk=second.pk).flags_pending


@pytest.mark.parametrize("stop", [outbox.pause, outbox.cancel])
def test_a_recall_takes_effect_in_the_middle_of_a_batch(
    script: Script, stop: Callable[[Message], None]
):
    first = send("kim", "lee")
    second = send("park", "choi")
    script.on("kim", then(TAKEN, lambda: stop(second)))

    deliver(bind())

    assert script.names == ["kim", "lee"]
    assert {row("park").batch_id, row("choi").batch_id} == {None}
    assert states() == {"kim": "sent", "lee": "sent", "park": "queued", "choi": "queued"}
    assert Message.objects.get(pk=first.pk).sent == 2


def test_a_message_paused_and_resumed_is_not_sent_by_two_workers(script: Script):
    """I3: what changed flags released belongs to another Batch now."""
    send("kim", "lee", "oh", "yun")
    message = send("park", "choi")
    script.on("kim", then(TAKEN, lambda: outbox.pause(message)))
    script.on("oh", then(TAKEN, lambda: outbox.resume(message)))

    deliver(bind())

    assert script.names == ["kim", "lee", "oh", "yun"]
    deliver(bind())
    assert script.names == ["kim", "lee", "oh", "yun", "park", "choi"]
    assert set(states().values()) == {"sent"}


def test_a_cancel_is_applied_when_the_worker_ends_early(script: Script):
    """Rows that a worker returns after the cancel are still cancelled by the relay."""
    message = send("kim", "lee")
    script.on("kim", then(said(421, phase=Phase.DOT), lambda: outbox.cancel(message)))
    batch = bind()

    deliver(batch)

    message.refresh_from_db()
    assert message.flags_pending
    assert {row("kim").batch_id, row("lee").batch_id} == {None}


def test_an_uncertain_mail_is_queued_once_more_and_then_held(script: Script, settings):
    settings.MAIL_UNCERTAIN_WAIT = timedelta(minutes=15)
    script.otherwise = LOST
    send("kim")

    deliver(bind())
    first = row("kim")
    Delivery.objects.update(state="queued", due_at=Now(), batch=None)
    Message.objects.update(queued=1, uncertain=0)
    deliver(bind())
    second = row("kim")

    assert abs(first.due_at - timezone.now() - timedelta(minutes=15)) < timedelta(minutes=1)
    assert (first.uncertainties, second.uncertainties) == (1, 2)
    assert (second.state, second.due_at) == ("uncertain", None)
    assert Attempt.objects.filter(outcome="uncertain").count() == 2


def test_an_uncertain_mail_of_a_holding_kind_waits_for_a_person(script: Script):
    script.otherwise = LOST
    send("kim", kind=NOTICE)

    deliver(bind(Lane.BULK))

    assert (row("kim").state, row("kim").due_at) == ("uncertain", None)


def test_a_deferred_mail_is_resent_later_and_later(script: Script):
    script.otherwise = said(450, "4.2.0")
    send("kim")
    waits = []
    for _ in range(3):
        deliver(bind())
        waits.append((row("kim").due_at - timezone.now()).total_seconds() / 60)
        make_due()

    assert 0.7 < waits[0] < 1.3
    assert 3.9 < waits[1] < 6.1
    assert 11.9 < waits[2] < 18.1
    assert (row("kim").attempts, Attempt.objects.count()) == (3, 3)


def test_a_mail_that_would_come_too_late_is_given_up_now(script: Script):
    script.otherwise = said(450, "4.2.0", text="later")
    send("kim")
    batch = bind()
    Delivery.objects.update(expires_at=Now() + timedelta(seconds=30))

    deliver(batch)

    kim = row("kim")
    assert (kim.state, kim.code, kim.reply) == ("failed", "expired", "later")
    assert Attempt.objects.get().code == "450"
    assert_counts_agree()


def test_a_fault_of_ours_keeps_the_facts_and_leaves_the_rest_to_the_rescue(script: Script):
    script.on("lee", ZeroDivisionError())
    send("kim", "lee", "park")
    batch = bind()

    with pytest.raises(ZeroDivisionError):
        batch_run.deliver(batch.pk, is_stopping=lambda: False)

    batch.refresh_from_db()
    assert states() == {"kim": "sent", "lee": "queued", "park": "queued"}
    assert (batch.closed_at, row("lee").batch_id) == (None, batch.pk)
    assert_counts_agree()


def test_a_reply_that_holds_a_nul_is_recorded(mail_server: SmtpServer):
    mail_server.on("rcpt", address="lee@*", reply="550 5.1.1 no\0body")
    send("kim", "lee")

    deliver(bind())

    assert states() == {"kim": "sent", "lee": "failed"}
    assert row("lee").reply == "nobody"


def test_the_pace_of_a_lane_follows_its_batches(script: Script, monkeypatch):
    monkeypatch.setattr(slot, "MEASURE_EVERY", 0)
    Transport.objects.update(ms_per_mail=1000)
    for _ in range(4):
        send("kim", "lee")
        deliver(bind())

    assert lane_row().ms_per_mail < 500
    assert lane_row(Lane.BULK).ms_per_mail == 1000


def test_of_batches_that_end_in_one_moment_one_is_measured(script: Script):
    """A hundred slots do not wait for one row of the database."""
    Transport.objects.update(ms_per_mail=1000)
    for lane in (Lane.TRANSACTIONAL, Lane.TRANSACTIONAL, Lane.BULK):
        SLOT.pace.measure(lane, mails=1, seconds=0)

    assert lane_row().ms_per_mail == lane_row(Lane.BULK).ms_per_mail == 700


def test_the_recipients_of_a_broadcast_each_get_their_own_mail(mail_server: SmtpServer):
    for name in ("kim", "lee"):
        get_user_model().objects.create(
            username=name, email=f"{name}@example.com", first_name=name.upper()
        )
    message = outbox.broadcast(
        notice(subject=f"{outbox.NAME} 님께", body=f"안녕하세요, {outbox.NAME} 님.\n"),
        kind=NOTICE,
        audience="tests.users",
        params={},
    )
    expansion.expand(message.pk, is_stopping=lambda: False)

    for batch in dispatch.bind(Lane.BULK, 500):
        deliver(batch)

    mails = {taken.recipient: taken for taken in mail_server.taken}
    assert {address: str(taken.mail["Subject"]) for address, taken in mails.items()} == {
        "kim@example.com": "KIM 님께",
        "lee@example.com": "LEE 님께",
    }
    assert {taken.message_id for taken in mails.values()} == {
        one.message_id_header for one in message.deliveries.all()
    }
    assert "KIM 님" in mails["kim@example.com"].mail.get_content()
