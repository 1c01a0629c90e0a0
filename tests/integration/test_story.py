"""The whole way: recorded, dispatched through RabbitMQ, delivered over SMTP."""

import time

from django.core.mail import send_mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mail import outbox
from tests.harness import mailers, shop, waiting
from tests.harness.processes import Processes
from tests.harness.rabbitmq import RabbitMQ
from tests.harness.smtp import SmtpServer, Taken
from tests.unit.mail.corpus import CORPUS, OLDER_PARTS
from tests.unit.mail.mails import RECEIPT, receipt
from tests.unit.mail.parity import DIFFERS, likeness


def test_a_recorded_mail_arrives(processes: Processes, smtp: SmtpServer):
    processes.relay()
    processes.worker()

    message = outbox.send(receipt("kim@example.com"), kind=RECEIPT)

    (taken,) = smtp.wait_for(1)
    assert (taken.sender, taken.recipient) == ("no-reply@moa.example", "kim@example.com")
    assert taken.message_id == message.message_id
    assert taken.raw == bytes(message.mime)
    assert waiting.settled(message) == {"sent": 1}


@OLDER_PARTS
def test_every_mail_arrives_as_djangos_own_backend_sends_it(
    processes: Processes, smtp: SmtpServer
):
    with mailers.make(mailers.SMTP, host="127.0.0.1", port=smtp.port) as backend:
        backend.send_messages([make() for make in CORPUS.values()])
    direct = list(smtp.taken)
    smtp.reset()
    processes.relay()
    processes.worker()

    messages = {name: outbox.send(make(), kind=RECEIPT) for name, make in CORPUS.items()}

    arrived = smtp.wait_for(len(direct))
    for name, expected in by_mail(direct).items():
        ignore = DIFFERS - {header.lower() for header in CORPUS[name]().extra_headers}
        found = [taken for taken in arrived if taken.message_id == messages[name].message_id]
        assert {taken.recipient for taken in found} == {taken.recipient for taken in expected}
        assert {taken.sender for taken in found} == {taken.sender for taken in expected}
        for taken in found:
            assert likeness(taken.raw, ignore=ignore) == likeness(expected[0].raw, ignore=ignore)
    assert len(arrived) == len(direct)


def by_mail(taken: list[Taken]) -> dict[str, list[Taken]]:
    """What Django's backend sent, mail by mail: it sends them in order, and each once."""
    mails: dict[str, list[Taken]] = {}
    for one in taken:
        mails.setdefault(one.sha256, []).append(one)
    return dict(zip(CORPUS, mails.values(), strict=True))


def test_ten_thousand_subscribers_are_told_once_each(processes: Processes, smtp: SmtpServer):
    """The publishing request costs the same number of queries as for ten."""
    few, many = shop.make_product(1), shop.make_product(2)
    shop.subscribe_many(few, 10, prefix="few")
    shop.subscribe_many(many, 10_000)
    drafts = shop.draft_change(few), shop.draft_change(many)
    processes.relay()
    processes.worker("-c", "2")
    processes.worker("-c", "2")

    with CaptureQueriesContext(connection) as for_ten:
        shop.publish(drafts[0])
    with CaptureQueriesContext(connection) as for_ten_thousand:
        message = shop.publish(drafts[1])

    smtp.wait_for(10_010)
    assert waiting.settled(message) == {"sent": 10_000}
    told = smtp.recipients()
    assert len(told) == 10_010
    assert set(told.values()) == {1}
    assert len({taken.message_id for taken in smtp.taken}) == 10_010
    assert len(for_ten) == len(for_ten_thousand)


def test_send_mail_returns_at_once_without_rabbitmq_and_the_mail_arrives_when_it_is_back(
    processes: Processes, smtp: SmtpServer, rabbitmq: RabbitMQ, settings
):
    mailers.set_default(settings, mailers.OUTBOX)
    processes.relay().wait_ready()
    processes.worker().wait_ready()
    rabbitmq.stop()
    try:
        began = time.perf_counter()
        count = send_mail("비밀번호", "글", "shop@moa.example", ["kim@example.com"])
        took = time.perf_counter() - began
        taken_meanwhile = list(smtp.taken)
    finally:
        rabbitmq.start()

    (taken,) = smtp.wait_for(1)
    assert count == 1
    assert took < 10  # it would have waited for RabbitMQ until it was back, which is later
    assert taken_meanwhile == []
    assert taken.recipient == "kim@example.com"
