"""Workers that die, freeze, and race."""

from kombu import Connection

from mail import outbox, tasks
from mail.models import Attempt, Batch, Lane
from mail.relay import dispatch
from tests.harness import waiting
from tests.harness.broker import Broker
from tests.harness.ports import PATIENCE, wait_until
from tests.harness.processes import Processes
from tests.harness.smtp import SmtpServer
from tests.unit.mail.mails import NOTICE, RECEIPT, receipt

EVERYBODY = [f"user{number}@example.com" for number in range(300)]


def test_i4_a_worker_that_is_killed_leaves_at_most_one_uncertain_mail_per_connection(
    processes: Processes, smtp: SmtpServer
):
    """I4: all mails arrive, uncertain ones twice; every other address gets exactly one copy."""
    caught = [
        smtp.on("dot", address=f"user{number}@*", hold=True, times=1) for number in (40, 260)
    ]
    processes.relay(MAIL_BATCH_LIMIT="150")
    victim = processes.worker("-c", "2", MAIL_BATCH_LIMIT="150")
    message = outbox.send(receipt(*EVERYBODY), kind=RECEIPT)
    for rule in caught:
        assert rule.reached.wait(PATIENCE)
    connections = smtp.connections

    victim.kill()
    smtp.clear_rules()
    processes.worker("-c", "2")

    assert waiting.settled(message) == {"sent": len(EVERYBODY)}
    uncertain = set(
        Attempt.objects.filter(outcome="uncertain").values_list("delivery__address", flat=True)
    )
    copies = smtp.recipients()
    assert connections == 2
    assert uncertain == {"user40@example.com", "user260@example.com"}
    assert set(copies) == set(EVERYBODY)
    assert {address for address, count in copies.items() if count > 1} == uncertain
    assert Batch.objects.filter(rescued=True).count() == 2


def test_i4_of_a_kind_that_holds_no_killed_worker_makes_a_second_copy(
    processes: Processes, smtp: SmtpServer
):
    """I4: the uncertain mail is held for a person, the others are sent."""
    caught = smtp.on("dot", address="user20@*", hold=True)
    processes.relay()
    victim = processes.worker()
    message = outbox.send(receipt(*EVERYBODY[:60]), kind=NOTICE)
    assert caught.reached.wait(PATIENCE)

    victim.kill()
    smtp.clear_rules()
    processes.worker()

    assert waiting.settled(message) == {"sent": 59, "uncertain": 1}
    assert set(smtp.recipients().values()) == {1}
    assert message.deliveries.get(state="uncertain").address == "user20@example.com"


def test_a_worker_killed_before_end_of_data_leaves_nothing_uncertain(
    processes: Processes, smtp: SmtpServer
):
    """I5: without an end of data nothing was sent."""
    caught = smtp.on("rcpt", address="user0@*", hold=True)
    processes.relay()
    victim = processes.worker()
    message = outbox.send(receipt(*EVERYBODY[:30]), kind=NOTICE)
    assert caught.reached.wait(PATIENCE)

    victim.kill()
    smtp.clear_rules()
    processes.worker()

    assert waiting.settled(message) == {"sent": 30}
    assert set(smtp.recipients().values()) == {1}


def test_i3_a_batch_that_is_published_five_times_is_delivered_once(
    processes: Processes, smtp: SmtpServer, broker: Broker
):
    """I3: a claim is one conditional UPDATE; four more arrive while the first is working."""
    in_hand = smtp.on("dot", hold=True, times=1)
    broker.make_queues()
    for worker in [processes.worker("-c", "3"), processes.worker("-c", "3")]:
        worker.wait_ready()
    message = outbox.send(receipt(*EVERYBODY[:40]), kind=RECEIPT)
    (batch,) = dispatch.bind(Lane.TRANSACTIONAL, 100)

    publish(batch, broker)
    assert in_hand.reached.wait(PATIENCE)
    for _ in range(4):
        publish(batch, broker)
    wait_until(lambda: succeeded(processes) == 4, what="the end of four tasks")
    in_hand.release()

    assert waiting.settled(message) == {"sent": 40}
    assert smtp.recipients() == dict.fromkeys(EVERYBODY[:40], 1)


def publish(batch: Batch, broker: Broker) -> None:
    with Connection(broker.url) as connection:
        tasks.deliver_batch.apply_async(
            (batch.pk,), queue="mail.transactional", connection=connection
        )


def succeeded(processes: Processes) -> int:
    """How many tasks have ended, by the logs of the workers."""
    return processes.output().count("succeeded in")


def test_i3_a_worker_that_was_frozen_past_its_lease_writes_no_end_of_data(
    processes: Processes, smtp: SmtpServer
):
    """I3: another worker has its mails; it notices before the end of data."""
    caught = smtp.on("data", address="user0@*", hold=True, times=1)
    processes.relay()
    frozen = processes.worker()
    message = outbox.send(receipt(*EVERYBODY[:10]), kind=RECEIPT)
    assert caught.reached.wait(PATIENCE)

    frozen.freeze()
    processes.worker()
    result = waiting.settled(message)
    frozen.thaw()
    caught.release()
    wait_until(lambda: "lease is lost" in frozen.output(), what="the worker to give up")

    assert result == {"sent": 10}
    assert smtp.recipients() == dict.fromkeys(EVERYBODY[:10], 1)
    assert waiting.counts(message) == {"sent": 10}


def test_a_worker_that_is_told_to_end_finishes_the_current_mail_and_releases_the_rest(
    processes: Processes, smtp: SmtpServer
):
    smtp.on("dot", delay=0.05)
    processes.relay()
    first = processes.worker()
    message = outbox.send(receipt(*EVERYBODY[:100]), kind=RECEIPT)
    smtp.wait_for(5)

    code = first.stop(seconds=PATIENCE)
    sent_by_first = len(smtp.taken)
    smtp.clear_rules()
    processes.worker()

    assert code == 0
    assert 5 <= sent_by_first < 100
    assert waiting.settled(message) == {"sent": 100}
    assert set(smtp.recipients().values()) == {1}
    assert not Attempt.objects.exists()


def test_two_relays_bind_each_mail_once(processes: Processes, smtp: SmtpServer):
    processes.relay()
    processes.relay()
    processes.worker("-c", "2")

    messages = [outbox.send(receipt(address), kind=RECEIPT) for address in EVERYBODY[:50]]

    smtp.wait_for(50)
    for message in messages:
        assert waiting.settled(message) == {"sent": 1}
    assert smtp.recipients() == dict.fromkeys(EVERYBODY[:50], 1)


def test_when_the_leading_relay_is_killed_another_takes_over(
    processes: Processes, smtp: SmtpServer
):
    leader = processes.relay().wait_ready()
    processes.relay()
    processes.worker().wait_ready()

    leader.kill()
    outbox.send(receipt(), kind=RECEIPT)

    smtp.wait_for(1)
