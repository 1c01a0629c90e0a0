"""C12: a worker that is paused past its lease and then continues."""

from mail import outbox
from mail.kinds import Kind
from mail.models import Message, Transport
from tests.crash.processes import Stage
from tests.harness import ledger, waiting
from tests.harness.ports import wait_until
from tests.harness.smtp import SmtpServer
from tests.unit.mail.mails import NOTICE, RECEIPT, receipt

SIZE = 4
# Where each slot of the worker stands, the kind of its mails, and how many of them are unsure.
SLOTS: dict[str, tuple[str, Kind, int]] = {
    "a": ("claimed:a*", RECEIPT, 0),
    "b": ("body:b0@*", RECEIPT, 0),
    "c": ("marked:c0@*", RECEIPT, 1),
    "d": ("marked:d0@*", NOTICE, 1),
}


def send_each() -> dict[str, Message]:
    """A message for every slot, each bound to a Batch of its own."""
    Transport.objects.update(ms_per_mail=1000 / SIZE)
    return {
        slot: outbox.send(
            receipt(*(f"{slot}{number}@example.com" for number in range(SIZE))), kind=kind
        )
        for slot, (_, kind, _) in SLOTS.items()
    }


def test_i3_a_worker_that_wakes_up_too_late_stops(stage: Stage, smtp: SmtpServer):
    """I3: past the lease no end of data follows; only one already covered can be repeated."""
    at = stage.point(*(point for point, _, _ in SLOTS.values()))
    stage.relay()
    paused = stage.worker("-P", "threads", "-c", str(len(SLOTS)), **at.environ)
    messages = send_each()
    at.wait()

    paused.freeze()
    stage.worker("-c", "2")
    ledger.settled(*messages.values())
    meanwhile = {slot: ledger.copies(message, smtp) for slot, message in messages.items()}
    paused.thaw()
    at.release()
    wait_until(lambda: has_ended(paused.output()), what="the end of its tasks")

    for slot, (_, kind, unsure) in SLOTS.items():
        copies = ledger.copies(messages[slot], smtp)
        first, others = f"{slot}0", [f"{slot}{number}" for number in range(1, SIZE)]
        doubled = 1 if unsure and kind is RECEIPT else 0
        assert copies == {first: 1 + doubled, **dict.fromkeys(others, 1)}
        assert ledger.unsure(messages[slot]) == [first] * unsure
        assert sum(copies.values()) - sum(meanwhile[slot].values()) == unsure
        # A late 250 is a fact, of a mail that is held, too.
        assert waiting.counts(messages[slot]) == {"sent": SIZE}
    assert paused.output().count("lease is lost") == len(SLOTS)


def has_ended(output: str) -> bool:
    """Whether a worker has done every task that it got."""
    return output.count(" succeeded in ") == output.count("] received") >= len(SLOTS)
