"""RabbitMQ distributes the work; the database is the truth."""

import re

from django.db.models.functions import Now

from mail import outbox
from mail.models import Batch, Delivery
from mail.relay import dispatch
from tests.harness import shop, waiting
from tests.harness.broker import Broker
from tests.harness.ports import wait_until
from tests.harness.processes import Processes
from tests.harness.rabbitmq import RabbitMQ
from tests.harness.smtp import SmtpServer
from tests.unit.mail.mails import RECEIPT, receipt


def test_i10_broker_messages_and_logs_carry_ids_and_nothing_of_a_mail(
    processes: Processes, smtp: SmtpServer, broker: Broker
):
    """I10: never addresses, names or bodies."""
    smtp.on("rcpt", address="gone@*", reply="550 5.1.1 <gone@example.com> unknown")
    smtp.on("rcpt", address="grey@*", reply="451 4.7.1 <grey@example.com> later")
    smtp.on("dot", address="lost@*", drop=True, times=1)
    addresses = [f"{name}@example.com" for name in ("fine", "gone", "grey", "lost")]
    product = shop.make_product()
    shop.subscribe_many(product, 3, prefix="subscriber")
    processes.relay()
    message = outbox.send(receipt(*addresses, subject="비밀 subject"), kind=RECEIPT)
    wait_until(lambda: broker.has("mail.transactional"), what="the queue")
    wait_until(lambda: broker.ready("mail.transactional") > 0, what="the task")
    told = shop.publish_change(product)
    wait_until(lambda: broker.ready("mail.bulk") > 0, what="the expansion")
    published = broker.messages("mail.transactional") + broker.messages("mail.bulk")

    processes.worker()
    waiting.settled(told)
    waiting.in_state(message, "sent", 2)
    waiting.in_state(message, "failed", 1)

    assert [task["body"][0] for task in published] == [
        [Batch.objects.earliest("pk").pk],
        [told.pk],
    ]
    said = repr(published) + processes.output()
    secrets = r"@example\.com|비밀|subject|약관|구독자|고맙습니다"
    assert not re.findall(secrets, said)


def test_a_queue_that_is_deleted_is_declared_and_filled_again(
    processes: Processes, smtp: SmtpServer, broker: Broker
):
    relay = processes.relay().wait_ready()
    message = outbox.send(receipt(), kind=RECEIPT)
    wait_until(lambda: broker.has("mail.transactional"), what="the queue")
    wait_until(lambda: broker.ready("mail.transactional") > 0, what="the task")

    broker.delete("mail.transactional")
    processes.worker()

    smtp.wait_for(1)
    assert relay.is_running()
    assert waiting.settled(message) == {"sent": 1}


def test_without_workers_the_relay_builds_no_storm(
    processes: Processes, smtp: SmtpServer, broker: Broker
):
    """Never more than open unclaimed Batches: each is in the queue once."""
    processes.relay().wait_ready()
    outbox.send(receipt(), kind=RECEIPT)
    published = Batch.objects.filter(published_at__isnull=False)
    wait_until(published.exists, what="the task")
    first_at = published.get().published_at

    # MAIL_REPUBLISH_AFTER is one second here: by now the relay has looked at it often.
    Batch.objects.update(created_at=Now() - dispatch.GATHER)  # nothing joins it any more
    second = outbox.send(receipt(), kind=RECEIPT)
    wait_until(lambda: second.deliveries.get().batch_id, what="the second Batch")
    wait_until(
        lambda: broker.ready("mail.transactional") == 2,
        what="two tasks for two Batches",
    )

    assert Batch.objects.earliest("pk").published_at == first_at


def test_a_frozen_broker_stops_neither_the_shop_nor_the_mail_for_longer_than_it_lasts(
    processes: Processes, smtp: SmtpServer, rabbitmq: RabbitMQ
):
    processes.relay().wait_ready()
    processes.worker().wait_ready()
    rabbitmq.freeze()
    try:
        messages = [outbox.send(receipt(), kind=RECEIPT) for _ in range(3)]
        bound = Delivery.objects.filter(batch__isnull=False)
        wait_until(bound.exists, what="a Batch")
    finally:
        rabbitmq.thaw()

    smtp.wait_for(3)
    for message in messages:
        assert waiting.settled(message) == {"sent": 1}


def test_a_wiped_broker_loses_no_mail(processes: Processes, smtp: SmtpServer, rabbitmq, broker):
    relay = processes.relay()
    message = outbox.send(receipt(*(f"u{n}@example.com" for n in range(50))), kind=RECEIPT)
    wait_until(lambda: broker.has("mail.transactional"), what="the queue")
    wait_until(lambda: broker.ready("mail.transactional") > 0, what="the task")

    rabbitmq.ctl("delete_vhost", broker.vhost)
    rabbitmq.add_vhosts(broker.vhost)
    processes.worker()

    smtp.wait_for(50)
    assert relay.is_running()
    assert waiting.settled(message) == {"sent": 50}
