"""C12: a worker that is paused past its lease and goes on."""

import pytest

from mail import outbox
from mail.kinds import Kind
from tests.crash import ledger
from tests.crash.processes import Stage
from tests.integration import waiting
from tests.mail.mails import NOTICE, RECEIPT, receipt
from tests.servers.ports import wait_until
from tests.servers.smtp import SmtpServer

NAMES = [f"user{number}" for number in range(4)]


@pytest.mark.parametrize(
    ("point", "kind", "extra"),
    [
        ("claimed", RECEIPT, {}),
        ("body:user0@*", RECEIPT, {}),
        ("marked:user0@*", RECEIPT, {"user0": 1}),
        ("marked:user0@*", NOTICE, {}),
    ],
)
def test_i3_a_worker_that_wakes_up_too_late_stops(
    point: str, kind: Kind, extra: dict[str, int], stage: Stage, smtp: SmtpServer
):
    """I3: past the lease no dot follows a mark; only one that was marked before can double."""
    at = stage.point(point)
    stage.relay()
    paused = stage.worker("-c", "1", **at.environ)
    message = outbox.send(receipt(*(f"{name}@example.com" for name in NAMES)), kind=kind)
    at.wait()

    paused.freeze()
    stage.worker("-c", "1")
    ledger.settled(message)
    meanwhile = ledger.copies(message, smtp)
    paused.thaw()
    at.release()
    wait_until(lambda: "succeeded" in paused.output(), what="the end of its task")

    copies = ledger.copies(message, smtp)
    unsure = ledger.unsure(message)
    assert copies == {name: 1 + extra.get(name, 0) for name in NAMES}
    assert set(unsure) == ({"user0"} if point.startswith("marked") else set())
    assert sum(copies.values()) - sum(meanwhile.values()) <= 1
    assert waiting.counts(message) == {"sent": 4}  # a late 250 is a fact, of a held one, too
    assert "claim is lost" in paused.output()
