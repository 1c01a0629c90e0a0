"""Pause, resume and cancel take effect while a broadcast is being sent."""

import pytest

from mail import outbox
from mail.models import Batch, Message
from mail.worker import expansion
from tests.harness import shop, waiting
from tests.harness.ports import wait_until
from tests.harness.processes import Processes
from tests.harness.smtp import SmtpServer

SUBSCRIBERS = 600


@pytest.fixture
def running(processes: Processes, smtp: SmtpServer) -> Message:
    """A broadcast to people who are all on record, of whom most have not been told."""
    smtp.on("dot", delay=0.02)
    product = shop.make_product()
    shop.subscribe_many(product, SUBSCRIBERS)
    message = shop.publish_change(product)
    while expansion.expand(message.pk, is_stopping=lambda: False):
        pass
    processes.relay()
    processes.worker("-c", "2")
    smtp.wait_for(50)
    return message


def stands_still() -> bool:
    """No worker holds a Batch any more."""
    return not Batch.objects.filter(closed_at=None).exists()


def test_a_paused_broadcast_stops_and_continues_where_it_was(running: Message, smtp: SmtpServer):
    outbox.pause(running)
    told_at_pause = len(smtp.taken)
    wait_until(stands_still, what="the workers to stop")
    told = len(smtp.taken)
    wait_until(lambda: not still_turning(running), what="the rows to be turned")
    parked = running.deliveries.filter(paused=True, state="queued").count()

    assert told - told_at_pause <= 20  # the mails in the workers' hands, not their Batches
    assert parked == SUBSCRIBERS - told
    outbox.resume(running)
    smtp.clear_rules()
    assert waiting.settled(running) == {"sent": SUBSCRIBERS}
    assert set(smtp.recipients().values()) == {1}


def test_a_cancelled_broadcast_never_tells_the_rest(running: Message, smtp: SmtpServer):
    outbox.cancel(running)
    told_at_cancel = len(smtp.taken)
    wait_until(stands_still, what="the workers to stop")
    wait_until(lambda: not still_turning(running), what="the rows to be turned")

    told = len(smtp.taken)
    assert told - told_at_cancel <= 20
    assert waiting.counts(running) == {"sent": told, "cancelled": SUBSCRIBERS - told}


def still_turning(message: Message) -> bool:
    message.refresh_from_db()
    return message.flags_pending
