"""SIGTERM: every process ends within ten seconds, and no mail becomes uncertain by it."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from mail import outbox
from mail.models import Attempt, Batch, Message
from tests.crash.processes import Stage
from tests.harness import ledger, waiting
from tests.harness.ports import PATIENCE, wait_until
from tests.harness.postgresql import PostgreSQL
from tests.harness.processes import Process
from tests.harness.rabbitmq import RabbitMQ
from tests.harness.smtp import SmtpServer
from tests.unit.mail.mails import NOTICE, RECEIPT, receipt

LIMIT = 10.0
MANY = [f"user{number}@example.com" for number in range(30)]


def end(process: Process) -> tuple[int, float]:
    """SIGTERM; the exit code, and the seconds it took."""
    began = time.monotonic()
    code = process.stop(seconds=PATIENCE)
    return code, time.monotonic() - began


@pytest.mark.parametrize("pool", [("-c", "2"), ("-P", "threads", "-c", "2")], ids=str)
def test_a_worker_finishes_the_current_mail_and_releases_the_rest(
    pool: tuple[str, ...], stage: Stage, smtp: SmtpServer
):
    """Against a server that takes 0.3 s a mail, from processes and from threads."""
    smtp.on("dot", delay=0.3)
    stage.relay()
    worker = stage.worker(*pool)
    message = outbox.send(receipt(*MANY), kind=RECEIPT)
    other = outbox.send(receipt(*MANY), kind=RECEIPT)
    smtp.wait_for(4)

    code, seconds = end(worker)

    assert code == 0
    assert seconds < LIMIT
    assert len(smtp.taken) < 60
    assert sum(waiting.counts(one).get("sent", 0) for one in (message, other)) == len(smtp.taken)
    assert not Attempt.objects.exists()
    assert not Batch.objects.exclude(token=None).filter(closed_at=None).exists()


def test_a_worker_waits_for_no_reply_longer_than_it_has(stage: Stage, smtp: SmtpServer):
    """Only the mail whose end of data got no reply becomes uncertain, and that is recorded."""
    at_rcpt = smtp.on("rcpt", address="rcpt1@*", hold=True)
    at_dot = smtp.on("dot", address="dot1@*", hold=True)
    stage.relay()
    worker = stage.worker("-c", "2", MAIL_UNCERTAIN_WAIT="900")
    messages = {
        phase: outbox.send(
            receipt(*(f"{phase}{number}@example.com" for number in range(3))), kind=kind
        )
        for phase, kind in (("rcpt", RECEIPT), ("dot", NOTICE))
    }
    assert at_rcpt.reached.wait(PATIENCE)
    assert at_dot.reached.wait(PATIENCE)
    claimed = list(Batch.objects.all())

    code, seconds = end(worker)

    assert (code, seconds < LIMIT) == (0, True)
    assert ledger.states(messages["rcpt"]) == {
        "rcpt0": "sent",
        "rcpt1": "queued",
        "rcpt2": "queued",
    }
    assert ledger.states(messages["dot"]) == {
        "dot0": "sent",
        "dot1": "uncertain",
        "dot2": "queued",
    }
    assert ledger.unsure(messages["dot"]) == ["dot1"]
    assert Attempt.objects.count() == 1
    for batch in claimed:
        batch.refresh_from_db()
        assert (batch.closed_at is None, batch.rescued) == (False, False)


def test_a_worker_waits_no_longer_than_it_has_for_a_database_that_is_unavailable(
    stage_on_own_database: Stage, own_database: PostgreSQL, smtp: SmtpServer
):
    """Checkpoints are kept; the last 250, which none followed, becomes uncertain."""
    stage = stage_on_own_database
    at = stage.point("closing")
    stage.relay()
    worker = stage.worker(**at.environ)
    message = outbox.send(receipt(*MANY[:3]), kind=RECEIPT)
    at.wait()
    own_database.stop()
    at.release()
    wait_until(lambda: "the database is unavailable" in worker.output(), what="the worker to wait")

    _, seconds = end(worker)
    own_database.start()
    connection.close()
    stage.worker()

    assert seconds < LIMIT
    assert ledger.settled(message) == [{"sent": 3}]
    copies = ledger.copies(message, smtp)
    assert {name for name, count in copies.items() if count > 1} <= set(ledger.unsure(message))
    assert max(copies.values()) <= 2


def test_a_relay_ends_while_the_broker_is_frozen(
    stage: Stage, smtp: SmtpServer, rabbitmq: RabbitMQ
):
    at = stage.point("bound")
    relay = stage.relay(**at.environ)
    message = outbox.send(receipt(*MANY[:3]), kind=RECEIPT)
    at.wait()
    rabbitmq.freeze()
    try:
        at.release()
        code, seconds = end(relay)
    finally:
        rabbitmq.thaw()

    assert (code, seconds < LIMIT) == (0, True)
    assert ledger.states(message) == dict.fromkeys(("user0", "user1", "user2"), "queued")


def test_a_relay_that_is_stuck_in_a_publish_ends(stage: Stage, smtp: SmtpServer):
    relay = stage.relay(CRASH_HANG="60")
    outbox.send(receipt(*MANY[:3]), kind=RECEIPT)
    wait_until(lambda: Batch.objects.exists(), what="the Batch it is stuck with")

    _, seconds = end(relay)

    assert seconds < LIMIT
    assert "still running" in relay.output()


def test_a_relay_at_work_ends_and_steps_down(stage: Stage, smtp: SmtpServer):
    relay = stage.relay().wait_ready()
    for address in MANY:
        outbox.send(receipt(address), kind=RECEIPT)
    wait_until(lambda: Batch.objects.exists(), what="the first Batch")

    code, seconds = end(relay)
    began = time.monotonic()
    stage.relay().wait_ready()

    assert (code, seconds < LIMIT) == (0, True)
    assert time.monotonic() - began < LIMIT
    assert Message.objects.count() == len(MANY)


def test_a_web_process_answers_the_request_it_has_and_ends(
    stage: Stage, confirm: Callable[[int], dict[str, Any]], smtp: SmtpServer
):
    at = stage.point("paying")
    web, port = stage.web(**at.environ)
    web.wait_ready()
    answers: list[dict[str, Any]] = []
    caller = threading.Thread(target=lambda: answers.append(confirm(port)))
    caller.start()
    at.wait()

    web.popen.terminate()
    wait_until(lambda: "Handling signal: term" in web.output(), what="gunicorn to hear it")
    at.release()
    code, seconds = end(web)

    caller.join(PATIENCE)
    assert (code, seconds < LIMIT) == (0, True)
    assert [answer["state"] for answer in answers] == ["paid"]
    assert Message.objects.count() == 1
