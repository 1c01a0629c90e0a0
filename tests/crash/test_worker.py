"""C6 to C10: a worker that is killed at every point of its work, all of them at once.

One worker with a slot for each point; each slot has a Batch of its own of five mails and stops at
its point. Then the whole worker is killed with SIGKILL, and another one and the relay go on.
"""

import pytest

from mail import outbox
from mail.kinds import Kind
from mail.models import Batch, Message, Transport
from tests.crash.processes import Stage
from tests.harness import ledger
from tests.harness.broker import Broker
from tests.harness.ports import wait_until
from tests.harness.smtp import SmtpServer
from tests.unit.mail.mails import NOTICE, RECEIPT, receipt

SIZE = 5

NOBODY: dict[str, int] = {}
# Point: who becomes uncertain, and how many copies of that mail the server had by then.
POINTS = {
    "task": NOBODY,
    "claimed": NOBODY,
    "body:0": NOBODY,
    "marking:0": NOBODY,
    "marked:0": {"0": 0},
    "body:2": {"1": 1},  # its 250 is read, and would be marked before the dot of 2
    "marking:2": {"1": 1},
    "marked:2": {"2": 0},
    "dot:2": {"2": 1},
    "answered:2": {"2": 1},
    "closing": {"4": 1},
    "closed": NOBODY,
}


def names(number: int) -> list[str]:
    return [f"p{number}-{one}" for one in range(SIZE)]


def asked(number: int, point: str) -> str:
    """The point, of the mail or of the Batch that is this one's."""
    name, _, mail = point.partition(":")
    return f"{name}:p{number}-{mail or '*'}{'@*' if mail else ''}"


def send_each(kind: Kind) -> dict[str, Message]:
    """A message for every point, each bound to a Batch of its own."""
    Transport.objects.update(ms_per_mail=1000 / SIZE)
    return {
        point: outbox.send(receipt(*(f"{name}@example.com" for name in names(number))), kind=kind)
        for number, point in enumerate(POINTS)
    }


@pytest.mark.parametrize("kind", [RECEIPT, NOTICE], ids=["resend", "hold"])
def test_i4_whatever_a_killed_worker_was_doing_is_settled_by_what_can_be_known(
    kind: Kind, stage: Stage, smtp: SmtpServer, broker: Broker
):
    """I4, I5, I6: C6 to C10 of `hooks.POINTS`."""
    at = stage.point(*(asked(number, point) for number, point in enumerate(POINTS)))
    stage.relay()
    victim = stage.worker("-P", "threads", "-c", str(len(POINTS)), **at.environ)
    messages = send_each(kind)
    at.wait()
    at_death = {point: ledger.copies(message, smtp) for point, message in messages.items()}
    connections = smtp.connections

    victim.kill()
    stage.worker("-c", "2")
    counts = dict(zip(POINTS, ledger.settled(*messages.values()), strict=True))

    expected_unsure = {
        point: [f"p{number}-{mail}" for mail in POINTS[point]]
        for number, point in enumerate(POINTS)
    }
    assert {point: ledger.unsure(message) for point, message in messages.items()} == (
        expected_unsure
    )
    for number, (point, message) in enumerate(messages.items()):
        unsure = {f"p{number}-{mail}": had for mail, had in POINTS[point].items()}
        had = {name: at_death[point][name] for name in unsure}
        sent = SIZE if kind is RECEIPT else SIZE - len(unsure)
        more = 1 if kind is RECEIPT else 0
        assert had == unsure, point
        assert counts[point] == {"sent": sent} | (
            {"uncertain": len(unsure)} if sent < SIZE else {}
        )
        assert ledger.copies(message, smtp) == {
            name: unsure[name] + more if name in unsure else 1 for name in names(number)
        }, point
    assert sum(map(len, expected_unsure.values())) <= connections


def test_c10_a_task_that_comes_again_after_all_was_recorded_claims_nothing(
    stage: Stage, smtp: SmtpServer, broker: Broker
):
    at = stage.point("closed")
    stage.relay()
    victim = stage.worker(**at.environ)
    message = outbox.send(receipt("kim@example.com"), kind=RECEIPT)
    at.wait()

    victim.kill()
    heir = stage.worker()
    wait_until(lambda: "deliver_batch" in received(heir.output()), what="the task, again")
    wait_until(lambda: "succeeded" in heir.output(), what="its end")

    assert ledger.copies(message, smtp) == {"kim": 1}
    assert ledger.states(message) == {"kim": "sent"}
    assert Batch.objects.count() == 1


def received(output: str) -> str:
    return "".join(line for line in output.splitlines() if "received" in line)


def test_c13_a_refusal_that_is_on_record_stays_and_the_current_mail_is_uncertain(
    stage: Stage, smtp: SmtpServer
):
    """A reply is certainty: the first open row comes after it, with no copy yet."""
    smtp.on("dot", address="bad@*", reply="554 5.6.0 never")
    smtp.on("dot", address="late@*", reply="451 4.3.0 later")
    at = stage.point("body:rest@*")
    stage.relay()
    victim = stage.worker(**at.environ)
    message = outbox.send(
        receipt(*(f"{name}@example.com" for name in ("good", "bad", "late", "rest"))),
        kind=RECEIPT,
    )
    at.wait()
    at_death = ledger.copies(message, smtp)

    victim.kill()
    stage.worker()
    wait_until(
        lambda: ledger.states(message)["rest"] == "sent",
        seconds=ledger.SECONDS,
        what="the end of the mail in hand",
    )

    assert at_death == {"good": 1, "bad": 0, "late": 0, "rest": 0}
    assert ledger.unsure(message) == ["rest"]
    assert ledger.states(message) == {
        "good": "sent",
        "bad": "failed",
        "late": "queued",  # due in a minute
        "rest": "sent",
    }
    assert message.deliveries.get(address__startswith="late").attempts == 1
    assert ledger.copies(message, smtp) == {"good": 1, "bad": 0, "late": 0, "rest": 1}
