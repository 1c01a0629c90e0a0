"""C11 and C14: PostgreSQL crashes under a worker, which lives or is gone as well."""

import pytest
from django.db import connection

from mail import outbox
from mail.kinds import Kind
from mail.models import Batch
from tests.crash import ledger
from tests.crash.processes import Stage
from tests.mail.mails import NOTICE, RECEIPT, receipt
from tests.servers.ports import wait_until
from tests.servers.postgresql import PostgreSQL
from tests.servers.smtp import SmtpServer

NAMES = [f"user{number}" for number in range(6)]
ADDRESSES = [f"{name}@example.com" for name in NAMES]


@pytest.mark.parametrize("point", ["answered:user3@*", "closing"])
def test_c11_a_worker_that_lives_writes_its_results_again_from_memory(
    point: str, stage_on_own_database: Stage, own_database: PostgreSQL, smtp: SmtpServer
):
    """I4: no second copy, though marks may have been lost."""
    stage = stage_on_own_database
    at = stage.point(point)
    told = {"MAIL_LEASE": "30"}  # longer than the outage, so that nobody takes it for dead
    stage.relay(**told)
    stage.worker("-c", "1", **at.environ, **told)
    message = outbox.send(receipt(*ADDRESSES), kind=NOTICE)
    at.wait()

    own_database.crash()
    at.release()
    own_database.start()
    connection.close()

    assert ledger.settled(message) == [{"sent": 6}]
    assert ledger.copies(message, smtp) == dict.fromkeys(NAMES, 1)
    assert ledger.unsure(message) == []


@pytest.mark.parametrize("kind", [RECEIPT, NOTICE], ids=["resend", "hold"])
@pytest.mark.parametrize("whole_host", [False, True], ids=["C11", "C14"])
def test_c11_c14_without_the_worker_every_open_row_above_the_cursor_is_uncertain(
    whole_host: bool,
    kind: Kind,
    stage_on_own_database: Stage,
    own_database: PostgreSQL,
    smtp: SmtpServer,
):
    """I4: marks may be missing after a crash, so none of these rows is certainly unsent."""
    stage = stage_on_own_database
    at = stage.point("dot:user3@*")
    relay = stage.relay()
    worker = stage.worker(**at.environ)
    message = outbox.send(receipt(*ADDRESSES), kind=kind)
    at.wait()
    smtp.wait_for(4)

    if whole_host:
        own_database.kill()
        relay.kill()
    else:
        own_database.crash()
    worker.kill()
    own_database.start()
    connection.close()
    through = Batch.objects.get().through_id
    expected = [
        name
        for name, pk in zip(
            NAMES, message.deliveries.order_by("pk").values_list("pk", flat=True), strict=True
        )
        if pk > through
    ]
    if whole_host:
        stage.relay()
    stage.worker()
    (counts,) = ledger.settled(message)

    more = 1 if kind is RECEIPT else 0
    assert {"user3", "user4", "user5"} <= set(expected)
    assert ledger.unsure(message) == expected
    assert ledger.copies(message, smtp) == {
        name: 1 if name not in expected else more + (1 if name in NAMES[:4] else 0)
        for name in NAMES
    }
    held = {} if kind is RECEIPT else {"uncertain": len(expected)}
    assert counts == {"sent": 6 - sum(held.values())} | held


def test_a_worker_whose_database_freezes_for_longer_than_the_lease_is_not_taken_for_dead(
    stage_on_own_database: Stage, own_database: PostgreSQL, smtp: SmtpServer
):
    """I13: the outage is nobody's death."""
    stage = stage_on_own_database
    at = stage.point("marking:user2@*")
    relay = stage.relay()
    stage.worker("-c", "1", **at.environ)
    message = outbox.send(receipt(*ADDRESSES), kind=NOTICE)
    at.wait()

    own_database.stop()
    at.release()
    wait_until(
        lambda: relay.output().count("the database is away") > 4, what="two leases without it"
    )
    own_database.start()
    connection.close()

    assert ledger.settled(message) == [{"sent": 6}]
    assert ledger.copies(message, smtp) == dict.fromkeys(NAMES, 1)
    assert not Batch.objects.filter(rescued=True).exists()
