"""Probes: the time of single steps on tables of a given size. Runs inside Moa."""

import time
from collections.abc import Callable
from typing import Any

from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client

from bench.shop import administrator
from mail import outbox
from mail.models import Batch, Lane, Message
from mail.relay import dispatch, maintenance
from mail.relay.flags import FlagPropagation
from mail.relay.rescue import Rescuer
from mail.worker import batch_run, claims
from payment.mails import RECEIPT

BATCH = 50

COPY = """
    INSERT INTO mail_message (uuid, mime, text, html, {columns})
    SELECT gen_random_uuid(), '', '', '', {columns}
      FROM mail_message, generate_series(1, %(receipts)s) WHERE id = %(receipt)s
"""
FILL = [
    """INSERT INTO mail_batch (lane, size, worker, server_started, begun, through_id, recalled,
              rescued, created_at, published_at, claimed_at, closed_at)
       SELECT 'transactional', 500, 'bench', '', true, 0, false, false, now(), now(), now(), now()
         FROM generate_series(0, %(receipts)s / 500)""",
    """INSERT INTO mail_delivery (message_id, lane, address, name, state, expires_at, batch_id,
              settled_at, code, enhanced, reply, host, attempts)
       SELECT id, lane, 'buyer' || id || '@moa.example', '', 'sent', now() + interval '1 day',
              (SELECT min(id) FROM mail_batch) + (id - %(receipt)s - 1) / 500, now(),
              '250', '2.0.0', '2.0.0 taken', '127.0.0.1:25', 1
         FROM mail_message WHERE id > %(receipt)s""",
    """UPDATE mail_message SET sent = 1, queued = 0 WHERE id > %(receipt)s""",
    """INSERT INTO mail_delivery (message_id, lane, address, name, due_at, expires_at)
       SELECT message_id, 'bulk', 'waits' || n || '@moa.example', '구독자 ' || n, moment,
              now() + interval '3 days' FROM mail_broadcast, generate_series(1, %(waiting)s) AS n
        WHERE message_id = %(message)s""",
    "UPDATE mail_message SET queued = %(waiting)s WHERE id = %(message)s",
    "UPDATE mail_broadcast SET expanded_at = now() WHERE message_id = %(message)s",
    "VACUUM ANALYZE",
]
UNDO = [
    "UPDATE mail_delivery SET batch_id = NULL WHERE batch_id = %s",
    "UPDATE mail_batch SET closed_at = now() WHERE id = %s",
]
WEAR = """
    UPDATE mail_batch SET through_id = through_id + 1, begun = true,
           lease_until = statement_timestamp() + interval '8 seconds' WHERE id = %s
"""


def fill(message: int, receipts: int, waiting: int) -> dict[str, int]:
    """Create sent receipts, each its own Message, and a broadcast's due mails."""
    mail = EmailMessage("영수증", "감사합니다.\n", to=["buyer@moa.example"])
    receipt = outbox.send(mail, kind=RECEIPT).pk
    left_out = ("id", "uuid", "key", "mime", "text", "html")
    columns = [str(field.column) for field in Message._meta.concrete_fields]
    copied = ", ".join(column for column in columns if column not in left_out)
    values = {"message": message, "receipt": receipt, "receipts": receipts, "waiting": waiting}
    with connection.cursor() as cursor:
        for statement in (COPY.format(columns=copied), *FILL):
            cursor.execute(statement, values)
    return {}


def probe(message: int, mails: int) -> dict[str, float]:
    """The seconds of each step, once."""
    seconds: dict[str, float] = {}
    flags = FlagPropagation()

    def timed(name: str, step: Callable[..., Any], *given: Any) -> Any:
        began = time.perf_counter()
        result = step(*given)
        seconds[name] = time.perf_counter() - began
        return result

    batch = timed("dispatch", bind_one, BATCH)
    assert timed("claim", claims.take, batch.pk)  # noqa: S101
    _undo(batch)
    batch = bind_one(mails)
    timed("deliver", lambda: batch_run.deliver(batch.pk, is_stopping=lambda: False))
    timed(
        "sweep",
        lambda: (Rescuer().rescue(), flags.apply(), maintenance.requeue_uncertain()),
    )
    timed("retention", maintenance.erase_contents)
    timed("admin list of deliveries", _get, "/admin/mail/delivery/")
    timed("admin list of messages", _get, "/admin/mail/message/")
    timed("progress counts (API)", _get, f"/api/messages/{message}/")
    return seconds


def bind_one(mails: int) -> Batch:
    """Bind so many notices to a Batch."""
    (batch,) = dispatch.bind(Lane.BULK, mails, room=1)
    return batch


def turn(message: int, every: int) -> dict[str, list[float]]:
    """Cancel a broadcast; return the seconds of each page but the first and the last.

    `binding` are those of binding other mails in between, every `every` pages.
    """
    pages: list[float] = []
    binding: list[float] = []
    flags = FlagPropagation()
    _undo(bind_one(BATCH))  # what a process does once is done now
    outbox.cancel(Message.objects.get(pk=message))
    while not pages or Message.objects.filter(pk=message, flags_pending=True).exists():
        began = time.perf_counter()
        flags.apply()
        pages.append(time.perf_counter() - began)
        if len(pages) % every == 0:
            began = time.perf_counter()
            batch = bind_one(BATCH)
            binding.append(time.perf_counter() - began)
            _undo(batch)
    return {"pages": pages[1:-2], "binding": binding}


def claim(times: int) -> dict[str, list[float]]:
    """The seconds of that many claims, each of a new Batch."""
    took = []
    for _ in range(times):
        batch = bind_one(BATCH)
        began = time.perf_counter()
        assert claims.take(batch.pk)  # noqa: S101
        took.append(time.perf_counter() - began)
        _undo(batch)
    return {"seconds": took}


def wear(updates: int) -> dict[str, float]:
    """Move the cursors of Batches that many times, each 500 times, as workers do."""
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        for _ in range(updates // 500):
            batch = Batch.objects.create(lane=Lane.BULK, size=0)
            for _ in range(500):
                cursor.execute(WEAR, [batch.pk])
            cursor.execute(UNDO[1], [batch.pk])
        cursor.execute("SET synchronous_commit = on")
    return {"seconds": time.monotonic() - began}


def _undo(batch: Batch) -> None:
    """Bring the Deliveries of a claimed Batch back to the queue, and close it."""
    with connection.cursor() as cursor:
        for statement in UNDO:
            cursor.execute(statement, [batch.pk])


_browser: list[Client] = []


def _get(path: str) -> None:
    if not _browser:
        _browser.append(Client(SERVER_NAME="127.0.0.1"))
        _browser[0].force_login(administrator())
    answer = _browser[0].get(path)
    assert answer.status_code == 200, (path, answer.status_code)  # noqa: S101
