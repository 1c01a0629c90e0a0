"""C3 to C5: a relay that is killed between a commit and what follows it."""

import pytest

from mail import outbox
from mail.models import Batch, RelayLease
from tests.crash.processes import Stage
from tests.harness import ledger
from tests.harness.broker import Broker
from tests.harness.ports import wait_until
from tests.harness.processes import Process
from tests.harness.smtp import SmtpServer
from tests.unit.mail.mails import RECEIPT, receipt

# Point: how many Batches there are by then, and how many tasks in the queue.
POINTS = {"binding": (0, 0), "bound": (1, 0), "published": (1, 1), "noted": (1, 1)}


@pytest.mark.parametrize("point", POINTS)
def test_whatever_a_killed_relay_was_doing_each_mail_leaves_once(
    point: str, stage: Stage, smtp: SmtpServer, broker: Broker
):
    """C3 and C4: the rows say what to do; a task that arrives twice claims nothing."""
    at = stage.point(point)
    victim = stage.relay(**at.environ)
    message = outbox.send(receipt("kim@example.com", "lee@example.com"), kind=RECEIPT)
    at.wait()
    tasks = broker.ready("mail.transactional") if broker.has("mail.transactional") else 0
    found = Batch.objects.count(), tasks

    replace(victim, stage)
    stage.worker()

    assert found == POINTS[point]
    assert ledger.settled(message) == [{"sent": 2}]
    assert ledger.copies(message, smtp) == {"kim": 1, "lee": 1}
    assert Batch.objects.count() == 1


def test_c5_a_task_that_the_broker_confirmed_and_lost_is_published_again(
    stage: Stage, smtp: SmtpServer, broker: Broker
):
    at = stage.point("noted")
    victim = stage.relay(**at.environ)
    message = outbox.send(receipt("kim@example.com"), kind=RECEIPT)
    at.wait()

    broker.delete("mail.transactional")
    replace(victim, stage)
    stage.worker()

    assert ledger.settled(message) == [{"sent": 1}]
    assert ledger.copies(message, smtp) == {"kim": 1}


def test_a_task_that_waits_in_the_queue_is_not_published_again(
    stage: Stage, smtp: SmtpServer, broker: Broker
):
    """A night without workers builds no storm: each open Batch is in the queue once."""
    stage.relay()
    outbox.send(receipt("kim@example.com"), kind=RECEIPT)
    wait_until(
        lambda: Batch.objects.filter(published_at__isnull=False).exists(), what="the first task"
    )
    first_at = Batch.objects.get().published_at

    # MAIL_REPUBLISH_AFTER is one second, and MAIL_RELAY_INTERVAL a tenth of it.
    wait_until(lambda: ledger.database_seconds_since(first_at) > 3, what="three seconds")

    assert broker.ready("mail.transactional") == 1
    assert Batch.objects.get().published_at == first_at


def test_a_relay_that_is_stuck_in_a_publish_restarts(stage: Stage, smtp: SmtpServer):
    """Beyond every bound of the publisher's own, and with no other relay to take the lead."""
    relay = stage.relay(CRASH_HANG="1")
    stage.worker()
    message = outbox.send(receipt("kim@example.com"), kind=RECEIPT)

    assert ledger.settled(message) == [{"sent": 1}]
    assert ledger.copies(message, smtp) == {"kim": 1}
    assert "restarting" in relay.output()
    assert relay.is_running()


def replace(victim: Process, stage: Stage) -> None:
    """Kill the relay and start another, which need not wait for the lead of the dead one."""
    victim.kill()
    RelayLease.objects.update(lease_until=None)
    stage.relay()
