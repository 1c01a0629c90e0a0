"""Slow servers: every slot speaks SMTP at once, and few database connections serve many slots."""

import psycopg
from django.db import connection

from mail.models import Message, Transport
from tests.harness import shop, waiting
from tests.harness.broker import Broker
from tests.harness.ports import wait_until
from tests.harness.processes import Processes
from tests.harness.smtp import SmtpServer

SLOTS = 40  # more than MAIL_WINDOW
POOL = 4


def test_all_slots_wait_for_the_server_at_once_and_four_connections_serve_them(
    processes: Processes, broker: Broker, smtp: SmtpServer
):
    slow = smtp.on("dot", hold=True)
    message = slow_broadcast(3 * SLOTS)
    start(processes, "-P", "threads", "-c", str(SLOTS), pool=POOL)

    wait_until(lambda: smtp.commands["dot"] == SLOTS, what=f"{SLOTS} mails in hand")
    in_use = sessions()
    slow.release()

    assert waiting.settled(message) == {"sent": 3 * SLOTS}
    assert max(smtp.recipients().values()) == 1
    others = 2  # this test, the relay
    assert SLOTS < in_use <= SLOTS + POOL + others


def test_forked_slots_have_a_pool_each(processes: Processes, broker: Broker, smtp: SmtpServer):
    message = slow_broadcast(60)
    start(processes, "-c", "2", pool=2)

    assert waiting.settled(message) == {"sent": 60}
    assert max(smtp.recipients().values()) == 1
    assert len({taken.connection for taken in smtp.taken}) == 2


def slow_broadcast(recipients: int) -> Message:
    """A broadcast, in Batches of three."""
    Transport.objects.update(ms_per_mail=300)
    product = shop.make_product()
    shop.subscribe_many(product, recipients)
    return shop.publish_change(product)


def start(processes: Processes, *options: str, pool: int) -> None:
    processes.worker(*options, DATABASE_POOL=str(pool))
    processes.relay()
    for process in processes.started:
        process.wait_ready()


def sessions() -> int:
    """How many sessions the test database has, but for the one that asks."""
    params = connection.get_connection_params()
    params.pop("cursor_factory", None)
    with psycopg.connect(**params, autocommit=True) as session:
        found = session.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    return int(found[0]) if found else 0
