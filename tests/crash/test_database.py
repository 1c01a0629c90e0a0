"""C11 and C14: PostgreSQL crashes, and the worker survives or dies as well."""

import pytest
from django.db import connection

from mail import outbox
from mail.models import Batch, Message
from tests.crash.processes import Stage
from tests.harness import ledger
from tests.harness.ports import wait_until
from tests.harness.postgresql import PostgreSQL
from tests.harness.smtp import SmtpServer
from tests.unit.mail.mails import NOTICE, RECEIPT, receipt

SIZE = 6


def names(kind: str) -> list[str]:
    return [f"{kind}{number}" for number in range(SIZE)]


def send_both() -> tuple[Message, Message]:
    """One message that is resent when uncertain and one that is held, each in its own lane."""
    resent, held = ([f"{one}@example.com" for one in names(kind)] for kind in ("resent", "held"))
    return (
        outbox.send(receipt(*resent), kind=RECEIPT),
        outbox.send(receipt(*held), kind=NOTICE),
    )


def test_c11_a_worker_that_lives_writes_its_results_again_from_memory(
    stage_on_own_database: Stage, own_database: PostgreSQL, smtp: SmtpServer
):
    """I4: no second copy although checkpoints may be lost, in a Batch or at its end."""
    stage = stage_on_own_database
    at = stage.point("answered:resent3@*", "closing:held*")
    told = {"MAIL_LEASE": "30"}  # longer than the outage, so that nobody takes it for dead
    stage.relay(**told)
    stage.worker("-c", "2", **at.environ, **told)
    resent, held = send_both()
    at.wait()

    own_database.crash()
    at.release()
    own_database.start()
    connection.close()

    assert ledger.settled(resent, held) == [{"sent": SIZE}] * 2
    assert ledger.copies(resent, smtp) == dict.fromkeys(names("resent"), 1)
    assert ledger.copies(held, smtp) == dict.fromkeys(names("held"), 1)
    assert ledger.unsure(resent) == ledger.unsure(held) == []


@pytest.mark.parametrize("whole_host", [False, True], ids=["C11", "C14"])
def test_c11_c14_without_the_worker_every_open_row_above_the_cursor_is_uncertain(
    whole_host: bool, stage_on_own_database: Stage, own_database: PostgreSQL, smtp: SmtpServer
):
    """I4: checkpoints may be missing after a crash, so none of these is certainly unsent."""
    stage = stage_on_own_database
    at = stage.point("dot:resent3@*", "dot:held3@*")
    relay = stage.relay()
    worker = stage.worker("-c", "2", **at.environ)
    resent, held = send_both()
    at.wait()
    smtp.wait_for(8)

    if whole_host:
        own_database.kill()
        relay.kill()
    else:
        own_database.crash()
    worker.kill()
    own_database.start()
    connection.close()
    unsure = above_the_cursor(resent), above_the_cursor(held)
    if whole_host:
        stage.relay()
    stage.worker("-c", "2")
    counts = ledger.settled(resent, held)

    assert set(names("resent")[3:]) <= set(unsure[0])
    assert unsure[1] == names("held")[3:]  # its checkpoints had waited for the disk
    assert (ledger.unsure(resent), ledger.unsure(held)) == unsure
    assert counts == [{"sent": SIZE}, {"sent": 3, "uncertain": 3}]
    assert ledger.copies(resent, smtp) == {
        name: (number < 4) + (name in unsure[0]) for number, name in enumerate(names("resent"))
    }
    assert ledger.copies(held, smtp) == {
        name: int(number < 4) for number, name in enumerate(names("held"))
    }


def above_the_cursor(message: Message) -> list[str]:
    """The local parts of the Deliveries above the last kept checkpoint."""
    rows = message.deliveries.order_by("pk")
    through = Batch.objects.get(pk=rows[0].batch_id).through_id
    found = rows.filter(pk__gt=through).values_list("address", flat=True)
    return [address.partition("@")[0] for address in found]


def test_a_worker_whose_database_freezes_for_longer_than_the_lease_is_not_taken_for_dead(
    stage_on_own_database: Stage, own_database: PostgreSQL, smtp: SmtpServer
):
    """I13: an outage kills no worker."""
    stage = stage_on_own_database
    at = stage.point("marking:held2@*")
    relay = stage.relay()
    stage.worker("-c", "2", **at.environ)
    resent, held = send_both()
    at.wait()

    own_database.stop()
    at.release()
    wait_until(
        lambda: relay.output().count("the database is unavailable") > 4,
        what="two leases without it",
    )
    own_database.start()
    connection.close()

    assert ledger.settled(resent, held) == [{"sent": SIZE}] * 2
    assert ledger.copies(held, smtp) == dict.fromkeys(names("held"), 1)
    assert not Batch.objects.filter(rescued=True).exists()
