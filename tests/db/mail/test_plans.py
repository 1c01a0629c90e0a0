"""Query plans: no frequent query of the relay, workers or lists reads a whole table."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client

from mail import outbox
from mail.models import Lane, Message
from mail.operations import status
from mail.relay import dispatch, flags, maintenance, pending_work
from mail.relay.flags import FlagPropagation
from mail.relay.rescue import Rescuer
from mail.worker import claims, expansion
from mail.worker.slot import SLOT
from tests.db.mail.delivering import bind, send, take
from tests.db.mail.rows import make_user
from tests.db.mail.test_loop import Broker
from tests.unit.mail.mails import NOTICE, notice

pytestmark = [pytest.mark.postgresql, pytest.mark.usefixtures("transactional_db")]

BIG = ("mail_delivery", "mail_message", "mail_batch")
WHOLE = re.compile(rf"Seq Scan on (\S+\.)?({'|'.join(BIG)})\b")
REMOVED = re.compile(r"Rows Removed by Filter: (\d+)")
ON_DELIVERIES = re.compile(r"Scan.* (?:on|using) mail_delivery.*actual rows=(\d+) loops=(\d+)")
HISTORY = 10_000

MESSAGES = """
    INSERT INTO mail_message (uuid, kind, key, fingerprint, lane, on_uncertain, give_up_after,
        keep_for, mime, sha256, personal, message_id, message_id_domain, envelope_from, sender,
        subject, text, html, queued, sent, failed, uncertain, cancelled, folded, turning,
        erase_at)
    SELECT gen_random_uuid(), 'payment.receipt', 'old:' || n, '', 'transactional', 'resend',
           '3 days', '5 years', 'mime', '', false, '', 'example.com', 'a@example.com',
           'a@example.com', 'receipt', repeat('text ', 50), '', 0, 1, 0, 0, 0, 0, false,
           now() + interval '5 years' - n * interval '1 minute'
      FROM generate_series(1, %s) AS n
"""
BATCHES = """
    INSERT INTO mail_batch (lane, size, token, worker, claimed_at, published_at, lease_until,
        server_started, begun, through_id, recalled, closed_at, rescued)
    SELECT 'transactional', 10, gen_random_uuid(), '', now(), now(), now(), '', true, 0, false,
           now(), false
      FROM generate_series(1, %s)
"""
DELIVERIES = """
    INSERT INTO mail_delivery (message_id, lane, address, state, expires_at, settled_at, batch_id)
    SELECT id, lane, 'old' || id || '@example.com',
           CASE id % 100 WHEN 0 THEN 'failed' WHEN 1 THEN 'uncertain' ELSE 'sent' END,
           now(), now() - id * interval '1 minute', (SELECT min(id) FROM mail_batch) + id % 1000
      FROM mail_message
"""


@pytest.fixture
def history(transactional_db: None) -> None:
    """Receipts that were settled long ago, as many as make a scan dearer than an index."""
    with connection.cursor() as cursor:
        cursor.execute(MESSAGES, [HISTORY])
        cursor.execute(BATCHES, [HISTORY // 10])
        cursor.execute(DELIVERIES)
    analyze()


def analyze() -> None:
    """Bring the planner's statistics up to date, as autovacuum does."""
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE mail_broadcast, {', '.join(BIG)}")


def scans(call: Callable[[], Any]) -> list[str]:
    """Make a call and return what in its queries goes through the history."""
    asked: list[tuple[str, Any]] = []

    def note(execute, sql, params, many, context):
        if not many and sql.lstrip().startswith(("SELECT", "UPDATE", "INSERT")):
            asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        call()
    assert asked
    return [f"{line.strip()}: {sql}" for sql, params in asked for line in _faults(sql, params)]


def _faults(sql: str, params: Any) -> Iterator[str]:
    """The lines of a query's plan that read a big table from end to end, or read in vain."""
    how = "ANALYZE" if sql.lstrip().startswith("SELECT") else "VERBOSE"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN ({how}) {sql}", params)
        for (line,) in cursor.fetchall():
            in_vain = REMOVED.search(line)
            if WHOLE.search(line) or (in_vain and int(in_vain[1]) > HISTORY // 10):
                yield line


def rows_read(call: Callable[[], Any]) -> int:
    """Make a call and return how many Deliveries its SELECTs read, in vain or not."""
    read = 0

    def explain(execute, sql, params, many, context):
        nonlocal read
        if sql.lstrip().startswith("SELECT"):
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, TIMING off) {sql}", params)
                read += sum(map(_rows_of_deliveries, cursor.fetchall()))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        call()
    return read


def _rows_of_deliveries(line: tuple[str]) -> int:
    found, in_vain = ON_DELIVERIES.search(line[0]), REMOVED.search(line[0])
    return int(found[1]) * int(found[2]) if found else int(in_vain[1]) if in_vain else 0


def test_the_relay_and_the_status_read_no_history(history: None):
    broker: Any = Broker()
    send("a")
    outbox.pause(send("b"))
    record_notice()
    analyze()
    for ask in (
        pending_work.look,
        lambda: [dispatch.dispatch(lane, broker) for lane in Lane],
        lambda: [dispatch.republish(lane, broker) for lane in Lane],
        lambda: [dispatch.dispatch_expansions(lane, broker) for lane in Lane],
        lambda: Rescuer().rescue(),
        FlagPropagation().apply,
        maintenance.requeue_uncertain,
        maintenance.erase_contents,
        status.read,
    ):
        assert scans(ask) == []


@pytest.mark.parametrize("stop", [outbox.pause, outbox.cancel])
def test_a_stopped_broadcast_costs_a_relay_one_page(stop, monkeypatch):
    """Neither what is left of it nor what was changed already is read again with each page."""
    monkeypatch.setattr(flags, "PAGE", 50)
    User.objects.bulk_create(
        User(username=f"u{number}", email=f"u{number}@example.com") for number in range(2000)
    )
    message = record_notice()
    while expansion.expand(message.pk, is_stopping=lambda: False):
        pass
    send("kim", kind=NOTICE)
    analyze()
    stop(message)
    propagation = FlagPropagation()
    for _ in range(20):
        propagation.apply()

    assert rows_read(propagation.apply) <= 2 * 50  # found, then locked
    assert rows_read(lambda: dispatch.bind(Lane.BULK, 500)) == 1


def test_whoever_joins_a_batch_scans_no_history(history: None):
    broker: Any = Broker()
    send("a")
    dispatch.dispatch(Lane.TRANSACTIONAL, broker)
    send("b")
    joined: list[int] = []

    assert scans(lambda: joined.append(dispatch.join(Lane.TRANSACTIONAL, 500))) == []
    assert joined == [1]


def test_a_claim_scans_no_history(history: None):
    send("a")
    batch = bind()

    assert scans(lambda: claims.take(batch.pk)) == []


def test_an_expansion_scans_no_history(history: None):
    make_user("kim")
    message = record_notice()

    assert scans(lambda: expansion.expand_page(message.pk)) == []


PAGES = [
    *("delivery/", "delivery/?state=queued", "delivery/?state=sending"),
    *("delivery/?state=failed", "delivery/?state=cancelled"),
    *("message/", "message/?state=unsettled", "message/?state=failed", "message/?state=paused"),
    *("message/?state=cancelled", "message/?lane__exact=bulk", "message/?q=old:7"),
    *("batch/", "batch/?where=waiting"),
]


def test_lists_in_the_admin_find_few_among_many(history: None):
    send("a")
    client = Client()
    client.force_login(make_user("root", is_superuser=True, is_staff=True))

    def look(page: str) -> None:
        assert client.get(f"/admin/mail/{page}").status_code == 200

    found = {page: scans(partial(look, page)) for page in PAGES}

    counting = "LIMIT 10000"  # the paginator's, whose bound is the size of this history
    assert [scan for page in found.values() for scan in page if counting not in scan] == []


def test_marks_leave_no_trace_in_index_or_table():
    """A claim costs the same after many checkpoints: each takes the place of an earlier one.

    Not while another session looks at the database, as an ANALYZE does now and then: so one of
    some rounds is asked to show it.
    """
    send("a")
    claim = take(bind())
    grown: list[int] = []

    for _ in range(5):
        before = stored()
        for number in range(3000):
            claim.checkpoint.write(number, begun=True)
        after = stored()
        assert after["mail_batch_open"] == before["mail_batch_open"]
        grown.append(after["mail_batch"] - before["mail_batch"])
        if grown[-1] <= 8192:
            return
    pytest.fail(f"the table grew by {grown}")


def stored() -> dict[str, int]:
    """The octets of the table of Batches and of what finds the open ones."""
    SLOT.close()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relname LIKE 'mail_batch%'"
        )
        return dict(cursor.fetchall())


def record_notice() -> Message:
    return outbox.broadcast(notice(), kind=NOTICE, audience="tests.users", params={})
