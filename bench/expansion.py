"""Fan-out: the expansion compared with PostgreSQL alone. Runs inside Moa."""

import resource
import time
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bench.shop import administrator
from mail import outbox
from mail.models import Broadcast, Message
from mail.worker import expansion
from seller.models import Terms

BARE = """
    INSERT INTO bare (message_id, lane, due_at, expires_at, address, name)
    SELECT %s, 'bulk', now(), now() + interval '72 hours', address, name
      FROM seller_subscription
     WHERE product_id = %s AND started_at <= now() AND (ended_at IS NULL OR ended_at >= now())
     ORDER BY id
        ON CONFLICT DO NOTHING
"""


def publish_in_the_admin(terms: int) -> dict[str, Any]:
    """Publish a draft on its page of the admin; the statements of that request."""
    browser = Client(SERVER_NAME="127.0.0.1")
    browser.force_login(administrator())
    page = reverse("admin:seller_terms_publish", args=[terms])
    browser.get(page)  # what is read once per process is read now
    with CaptureQueriesContext(connection) as captured:
        answer = browser.post(page)
    published = Terms.objects.get(pk=terms)
    assert answer.status_code == 302, answer.status_code  # noqa: S101
    return {"message": published.message_id, "statements": len(captured)}


def expand(message: int) -> dict[str, float]:
    """Expand a broadcast to its end, as a worker does; the peak memory is of this process."""
    _settle()
    began, rows = time.monotonic(), 0
    while not Broadcast.objects.filter(pk=message, expanded_at__isnull=False).exists():
        rows += expansion.expand(message, is_stopping=lambda: False)
    seconds = time.monotonic() - began
    return {"rows": rows, "seconds": seconds, "peak_mb": _peak()}


FOREIGN_KEYS = """
    ALTER TABLE bare
      ADD FOREIGN KEY (message_id) REFERENCES mail_message DEFERRABLE INITIALLY DEFERRED,
      ADD FOREIGN KEY (batch_id) REFERENCES mail_batch DEFERRABLE INITIALLY DEFERRED
"""


def insert_bare(product: int, message: int, foreign_keys: bool = False) -> dict[str, float]:
    """The same recipients by one statement, into a table with the same columns and indexes."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bare (LIKE mail_delivery INCLUDING ALL)")
        if foreign_keys:
            cursor.execute(FOREIGN_KEYS)
        _settle()
        began = time.monotonic()
        cursor.execute(BARE, [message, product])
        seconds, rows = time.monotonic() - began, cursor.rowcount
        cursor.execute("DROP TABLE bare")
    return {"rows": rows, "seconds": seconds}


def cancel(message: int) -> dict[str, int]:
    """Stop a broadcast permanently."""
    outbox.cancel(Message.objects.get(pk=message))
    return {}


def _settle() -> None:
    """Start both with nothing left to write from earlier ones."""
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
