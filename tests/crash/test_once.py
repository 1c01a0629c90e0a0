"""One mail, one owner, one copy: the rules that the seeded bugs of `bugs.py` break."""

from kombu import Connection

from mail import outbox, tasks
from mail.models import Batch, Lane
from mail.relay import dispatch
from tests.crash.processes import Stage
from tests.harness import ledger
from tests.harness.broker import Broker
from tests.harness.ports import PATIENCE, wait_until
from tests.harness.smtp import SmtpServer
from tests.unit.mail.mails import NOTICE, RECEIPT, receipt

NAMES = [f"user{number}" for number in range(4)]
ADDRESSES = [f"{name}@example.com" for name in NAMES]


def test_c6_a_task_that_dies_with_its_worker_is_resent(stage: Stage, smtp: SmtpServer):
    at = stage.point("task")
    stage.relay()
    victim = stage.worker("-c", "1", **at.environ)
    message = outbox.send(receipt(*ADDRESSES), kind=RECEIPT)
    at.wait()

    victim.kill()
    stage.worker("-c", "1")

    assert ledger.settled(message) == [{"sent": 4}]
    assert ledger.copies(message, smtp) == dict.fromkeys(NAMES, 1)


def test_i3_a_batch_that_is_published_twice_has_one_owner(
    stage: Stage, smtp: SmtpServer, broker: Broker
):
    """I3: the second worker finds nothing to claim while the first has it."""
    caught = smtp.on("dot", address="user1@*", hold=True, times=1)
    broker.make_queues()
    owner = stage.worker("-c", "1").wait_ready()
    message = outbox.send(receipt(*ADDRESSES), kind=RECEIPT)
    (batch,) = dispatch.bind(Lane.TRANSACTIONAL, 100)
    publish(batch, broker)
    assert caught.reached.wait(PATIENCE)

    other = stage.worker("-c", "1").wait_ready()
    publish(batch, broker)
    wait_until(lambda: "succeeded" in other.output(), what="the second task")
    caught.release()
    wait_until(lambda: "succeeded" in owner.output(), what="the first task")

    assert ledger.copies(message, smtp) == dict.fromkeys(NAMES, 1)
    assert ledger.settled(message) == [{"sent": 4}]


def test_i3_a_worker_that_waits_for_a_slow_server_keeps_its_batch(stage: Stage, smtp: SmtpServer):
    """I3: it renews its lease, however long the server takes."""
    caught = smtp.on("dot", address="user1@*", hold=True, times=1)
    stage.relay()
    stage.worker("-c", "1")
    message = outbox.send(receipt(*ADDRESSES), kind=RECEIPT)
    assert caught.reached.wait(PATIENCE)
    claimed_at = Batch.objects.get().claimed_at
    assert claimed_at is not None

    # Three leases.
    wait_until(lambda: ledger.database_seconds_since(claimed_at) > 6, what="six seconds")
    caught.release()

    assert ledger.settled(message) == [{"sent": 4}]
    assert ledger.copies(message, smtp) == dict.fromkeys(NAMES, 1)
    assert ledger.unsure(message) == []


def test_i4_of_a_killed_worker_only_the_current_mail_is_uncertain(stage: Stage, smtp: SmtpServer):
    """I4: the last result is durable before the next end of data. No second copy if held."""
    at = stage.point("dot:user2@*", "dot:held2@*")
    stage.relay()
    victim = stage.worker("-c", "2", **at.environ)
    resent = outbox.send(receipt(*ADDRESSES), kind=RECEIPT)
    held = outbox.send(receipt(*(f"held{number}@example.com" for number in range(4))), kind=NOTICE)
    at.wait()
    smtp.wait_for(6)

    victim.kill()
    stage.worker("-c", "2")

    assert ledger.settled(resent, held) == [{"sent": 4}, {"sent": 3, "uncertain": 1}]
    assert (ledger.unsure(resent), ledger.unsure(held)) == (["user2"], ["held2"])
    assert ledger.copies(resent, smtp) == {"user0": 1, "user1": 1, "user2": 2, "user3": 1}
    assert ledger.copies(held, smtp) == {f"held{number}": 1 for number in range(4)}


def publish(batch: Batch, broker: Broker) -> None:
    with Connection(broker.url) as connection:
        tasks.deliver_batch.apply_async(
            (batch.pk,), queue="mail.transactional", connection=connection
        )
