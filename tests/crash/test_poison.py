"""Bad mails, unknown tasks and jumping clocks stop no worker and harm no other mail."""

from kombu import Connection

from mail import kinds, outbox, tasks
from mail.kinds import Kind
from mail.models import Delivery, Lane, Transport
from mail.relay import dispatch
from tests.crash.processes import Stage
from tests.harness import ledger
from tests.harness.broker import Broker
from tests.harness.ports import wait_until
from tests.harness.smtp import SmtpServer
from tests.unit.mail.mails import RECEIPT, receipt

ANNOUNCEMENT = kinds.declare(Kind(name="tests.announcement", lane=Lane.BULK))  # and resends
NAMES = ["a", "b", "poison", "c", "d"]
ADDRESSES = [f"{name}@example.com" for name in NAMES]


def test_i11_a_mail_that_kills_its_worker_fails_alone_after_three(stage: Stage, smtp: SmtpServer):
    """I11: the first of one Batch, and in the middle of another, whose others are sent."""
    stage.relay()
    worker = stage.worker("-c", "2", CRASH_POISON="poison@*")
    first = outbox.send(receipt(*ADDRESSES[2:]), kind=RECEIPT)
    middle = outbox.send(receipt(*ADDRESSES), kind=ANNOUNCEMENT)
    other = outbox.send(receipt("kim@example.com"), kind=RECEIPT)

    assert ledger.settled(first, middle, other) == [
        {"sent": 2, "failed": 1},
        {"sent": 4, "failed": 1},
        {"sent": 1},
    ]
    for message in (first, middle):
        poison = message.deliveries.get(state="failed")
        assert (poison.address, poison.code, poison.crashes) == (
            "poison@example.com",
            "poison",
            3,
        )
        assert ledger.copies(message, smtp)["poison"] == 0
    assert ledger.copies(first, smtp) == {"poison": 0, "c": 1, "d": 1}
    copies = ledger.copies(middle, smtp)
    assert {name for name, count in copies.items() if count > 1} <= set(ledger.unsure(middle))
    assert len(ledger.unsure(middle)) <= 1
    assert worker.is_running()


def test_tasks_of_newer_and_older_relays_stop_no_worker(
    stage: Stage, smtp: SmtpServer, broker: Broker
):
    """A name that this worker does not know is refused and kept among the dead; what a newer
    relay says besides is ignored."""
    broker.make_queues()
    worker = stage.worker("-c", "1").wait_ready()
    message = outbox.send(receipt("kim@example.com"), kind=RECEIPT)
    (batch,) = dispatch.bind(Lane.TRANSACTIONAL, 100)

    with Connection(broker.url) as connection:
        lane = {"queue": "mail.transactional", "connection": connection}
        tasks.deliver_batch.app.send_task("mail.of_next_year", (1,), {"why": 1}, **lane)
        tasks.deliver_batch.apply_async((batch.pk,), {"priority": 3}, **lane)

    assert ledger.settled(message) == [{"sent": 1}]
    assert ledger.copies(message, smtp) == {"kim": 1}
    assert "Received unregistered task of type 'mail.of_next_year'" in worker.output()
    assert broker.ready("mail.transactional") == 0
    wait_until(lambda: broker.ready("mail.dead") == 1, what="the refused task among the dead")


def test_a_wall_clock_that_jumps_changes_nothing(stage: Stage, smtp: SmtpServer):
    """Two days ahead, past every give-up time, with a rate that is counted in time, too."""
    smtp.on("rcpt", address="grey@*", reply="451 4.7.1 later")
    stage.relay()
    stage.worker("-c", "1", CRASH_CLOCK=str(2 * 86_400), MAIL_RATE="50/s")
    message = outbox.send(receipt(*ADDRESSES, "grey@example.com"), kind=RECEIPT)
    sent = message.deliveries.filter(state=Delivery.State.SENT)

    wait_until(lambda: sent.count() == 5, seconds=ledger.SECONDS, what="the mails")

    grey = message.deliveries.get(address="grey@example.com")
    slot = Transport.objects.get(lane=Lane.TRANSACTIONAL).next_slot_at
    assert (grey.state, grey.code, grey.attempts) == ("queued", "451", 1)
    assert ledger.copies(message, smtp) == {**dict.fromkeys(NAMES, 1), "grey": 0}
    assert slot is not None
    assert ledger.database_seconds_since(slot) > -60
    assert all(ledger.database_seconds_since(row.settled_at) > 0 for row in sent)
