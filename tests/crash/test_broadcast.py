"""A broadcast whose processes are killed twenty times, at moments drawn from a seed."""

import os
import random
import signal

from mail.models import Batch, Broadcast, Delivery
from tests.crash.processes import Stage
from tests.harness import ledger, shop
from tests.harness.ports import wait_until
from tests.harness.smtp import SmtpServer

SEED = 20261122
KILLS = 20
SUBSCRIBERS = 2000


def test_i8_a_broadcast_that_is_killed_twenty_times_tells_everybody_once(
    stage: Stage, smtp: SmtpServer
):
    """I8, I4: no recipient is lost or recorded twice; a second copy was known as uncertain."""
    drawn = random.Random(SEED)
    product = shop.make_product()
    shop.subscribe_many(product, SUBSCRIBERS)
    told = {"MAIL_BATCH_LIMIT": "25", "CRASH_PAGE": "100"}
    stage.relay(**told)
    worker = stage.worker("-c", "2", **told).wait_ready()
    message = shop.publish_change(product)

    for _ in range(KILLS):
        progress = advanced()
        goal = min(progress + drawn.randint(1, 60), SUBSCRIBERS)
        wait_until(lambda goal=goal: advanced() >= goal, what=f"{goal} mails")
        if drawn.random() < 0.2:
            worker.kill()
            worker = stage.worker("-c", "2", **told).wait_ready()
        elif children := worker.children():
            os.kill(drawn.choice(children), signal.SIGKILL)
    (counts,) = ledger.settled(message)

    copies = smtp.recipients()
    unsure = set(Delivery.objects.filter(uncertainties__gt=0).values_list("address", flat=True))
    assert message.deliveries.count() == SUBSCRIBERS
    assert Broadcast.objects.get().expanded_at
    assert {address for address, count in copies.items() if count > 1} <= unsure
    assert max(copies.values()) <= 2
    assert len(copies) + counts.get("uncertain", 0) >= SUBSCRIBERS
    assert counts["sent"] + counts.get("uncertain", 0) == SUBSCRIBERS
    assert len(unsure) <= KILLS * 2
    assert Batch.objects.filter(closed_at=None).count() == 0


def advanced() -> int:
    """How far the broadcast is: mails in a final state, and rows that were recorded."""
    settled = Delivery.objects.exclude(state="queued").count()
    return settled + Delivery.objects.count() // 100
