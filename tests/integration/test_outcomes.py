"""The possible replies of an SMTP server, over real sockets, and what is recorded."""

import pytest
from django.db import connection

from mail import outbox
from mail.models import Attempt, Lane, Message, Transport
from tests.harness import waiting
from tests.harness.ports import PATIENCE, wait_until
from tests.harness.processes import Processes
from tests.harness.smtp import SmtpServer
from tests.unit.mail.mails import NOTICE, RECEIPT, receipt

# At which step, what the server does, what becomes of the mail, and the code on record.
ANSWERS = {
    "fine": ("dot", {}, "sent", "250"),
    "gone": ("rcpt", {"reply": "550 5.1.1 no such user"}, "failed", "550"),
    "spam": ("dot", {"reply": "554 5.6.0 not this"}, "failed", "554"),
    "grey": ("rcpt", {"reply": "451 4.7.1 come back later"}, "queued", "451"),
    "full": ("rcpt", {"reply": "452 4.2.2 mailbox full"}, "queued", "452"),
    "later": ("dot", {"reply": "451 4.3.0 try again"}, "queued", "451"),
    "cut": ("rcpt", {"drop": True}, "queued", ""),
    "lost": ("dot", {"drop": True, "takes": True}, "uncertain", ""),
    "alsofine": ("dot", {}, "sent", "250"),
}


def test_i5_i11_each_answer_decides_about_its_own_mail_only(
    processes: Processes, smtp: SmtpServer
):
    """I5: before the end of data a failure is certain, after it only a reply decides.

    I11: a bad mail never stops the queue: it fails alone, with its reason.
    """
    for name, (phase, what, *_) in ANSWERS.items():
        smtp.on(phase, address=f"{name}@*", **what)
    processes.relay()
    processes.worker()

    message = outbox.send(receipt(*(f"{name}@example.com" for name in ANSWERS)), kind=NOTICE)

    wait_until(lambda: settled_once(message), what="an answer for each mail")
    found = {
        row.address.partition("@")[0]: (row.state, row.code) for row in message.deliveries.all()
    }
    assert found == {name: (state, code) for name, (*_, state, code) in ANSWERS.items()}
    assert set(smtp.recipients()) == {f"{n}@example.com" for n in ("fine", "alsofine", "lost")}
    assert waiting.counts(message) == {"queued": 4, "sent": 2, "failed": 2, "uncertain": 1}
    assert attempts(message) == {
        name: state if state != "queued" else "deferred"
        for name, (*_, state, _) in ANSWERS.items()
        if state != "sent"
    }


def settled_once(message: Message) -> bool:
    waiting_rows = message.deliveries.filter(state="queued")
    return not waiting_rows.exclude(tries__outcome="deferred", batch=None).exists()


def attempts(message: Message) -> dict[str, str]:
    rows = Attempt.objects.filter(delivery__message=message)
    return {
        address.partition("@")[0]: outcome
        for address, outcome in rows.values_list("delivery__address", "outcome")
    }


def test_i6_an_uncertain_mail_is_sent_once_more_with_the_same_message_id(
    processes: Processes, smtp: SmtpServer
):
    """I6: the Message-ID never changes, so whoever gets two copies can tell."""
    smtp.on("dot", drop=True, takes=True, times=1)
    processes.relay()
    processes.worker()

    message = outbox.send(receipt(), kind=RECEIPT)

    first, second = smtp.wait_for(2)
    assert first.message_id == second.message_id == message.message_id
    assert first.sha256 == second.sha256
    assert waiting.settled(message) == {"sent": 1}
    assert attempts(message) == {"kim": "uncertain"}


def test_an_uncertain_mail_of_a_kind_that_holds_waits_for_a_person(
    processes: Processes, smtp: SmtpServer
):
    smtp.on("dot", drop=True, takes=True, times=1)
    processes.relay()
    processes.worker()

    message = outbox.send(receipt(), kind=NOTICE)

    waiting.in_state(message, "uncertain")
    assert message.deliveries.get().due_at is None
    resent = outbox.resend(message.deliveries.all(), include_uncertain=True)
    smtp.wait_for(2)
    assert resent == 1
    assert waiting.settled(message) == {"sent": 1}


@pytest.mark.parametrize("phase", ["connect", "ehlo"])
def test_i11_trouble_with_the_server_holds_the_lane_and_costs_no_mail_an_attempt(
    phase: str, processes: Processes, smtp: SmtpServer
):
    """I11: trouble with the server holds the transport and spends no attempts."""
    trouble = smtp.on(phase, reply="421 4.3.2 not now")
    processes.relay()
    processes.worker()

    message = outbox.send(receipt("kim@example.com", "lee@example.com"), kind=RECEIPT)

    transport = Transport.objects.filter(lane=Lane.TRANSACTIONAL, held_until__isnull=False)
    wait_until(transport.exists, what="the hold")
    assert "421" in transport.get().reason
    assert set(message.deliveries.values_list("state", "attempts")) == {("queued", 0)}
    trouble.times = 0
    Transport.objects.update(held_until=None)
    smtp.wait_for(2)
    assert waiting.settled(message) == {"sent": 2}


def test_mails_wait_while_the_smtp_server_is_down_and_leave_when_it_is_back(
    processes: Processes, smtp: SmtpServer
):
    smtp.stop()
    try:
        processes.relay()
        processes.worker()
        message = outbox.send(receipt(), kind=RECEIPT)
        held = Transport.objects.filter(held_until__isnull=False)
        wait_until(held.exists, what="the hold")
    finally:
        smtp.start()

    smtp.wait_for(1)
    assert waiting.settled(message) == {"sent": 1}
    assert message.deliveries.get().attempts == 1


def test_i2_no_transaction_is_open_while_smtp_is_spoken(processes: Processes, smtp: SmtpServer):
    """I2, as seen in PostgreSQL while the worker waits for the server's reply."""
    slow = smtp.on("dot", hold=True)
    processes.relay()
    own_name = f"{processes.environ['DATABASE_URL']}?application_name=tests-worker"
    processes.worker(DATABASE_URL=own_name)
    message = outbox.send(receipt(), kind=RECEIPT)
    assert slow.reached.wait(PATIENCE)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT state, xact_start FROM pg_stat_activity"
            " WHERE application_name = 'tests-worker' AND datname = current_database()"
        )
        sessions = cursor.fetchall()

    slow.release()
    assert sessions
    assert set(sessions) == {("idle", None)}
    assert waiting.settled(message) == {"sent": 1}


def test_i5_trouble_after_the_250_does_not_undo_it(processes: Processes, smtp: SmtpServer):
    """I5: a 250 is a fact; QUIT trouble never undoes it."""
    smtp.on("quit", drop=True)
    smtp.on("rset", reply="500 what", drop=True)
    processes.relay()
    worker = processes.worker()

    message = outbox.send(receipt(), kind=RECEIPT)

    smtp.wait_for(1)
    assert worker.stop() == 0
    assert waiting.settled(message) == {"sent": 1}


def test_a_slow_reply_is_awaited_with_the_lease_renewed(processes: Processes, smtp: SmtpServer):
    """I3: while it waits for a slow reply the worker renews; nobody rescues its Batch."""
    smtp.on("dot", delay=7, times=1)  # more than three leases
    processes.relay()
    processes.worker()

    message = outbox.send(receipt(), kind=RECEIPT)

    assert waiting.settled(message) == {"sent": 1}
    assert len(smtp.taken) == 1
    assert not attempts(message)
