"""The ledger of a test: the rows, and the SMTP server's own log."""

from collections import Counter
from datetime import datetime

from django.db import connection

from mail.models import Attempt, Batch, Broadcast, Delivery, Message
from tests.harness import record, waiting
from tests.harness.balance import balance
from tests.harness.ports import wait_until
from tests.harness.smtp import SmtpServer

SECONDS = 40.0


def settled(*messages: Message, seconds: float = SECONDS) -> list[dict[str, int]]:
    """Wait until nothing is to be recorded, queued, claimed or resent; the counts by state."""
    own = Delivery.objects.filter(message__in=messages)
    moving = own.filter(state="queued") | own.filter(state="uncertain", due_at__isnull=False)
    coming = Broadcast.objects.filter(message__in=messages, expanded_at=None)
    open_batches = Batch.objects.filter(closed_at=None)
    wait_until(
        lambda: not (coming.exists() or moving.exists() or open_batches.exists()),
        seconds=seconds,
        every=0.1,
        what="the end of all mail",
    )
    return [waiting.counts(message) for message in messages]


def states(message: Message) -> dict[str, str]:
    """The state of each Delivery by the local part of its address."""
    return {
        address.partition("@")[0]: state
        for address, state in message.deliveries.values_list("address", "state")
    }


def unsure(message: Message) -> list[str]:
    """The local parts of those that have ever been uncertain, by the Attempts on record."""
    tries = Attempt.objects.filter(delivery__message=message, outcome="uncertain")
    found = tries.order_by("delivery").values_list("delivery__address", flat=True)
    return [address.partition("@")[0] for address in found]


def copies(message: Message, smtp: SmtpServer) -> dict[str, int]:
    """How many copies the server took of each Delivery, under the Message-ID of the message."""
    taken = Counter(one.recipient for one in smtp.taken if one.message_id == message.message_id)
    return {
        address.partition("@")[0]: taken[address]
        for address in message.deliveries.order_by("pk").values_list("address", flat=True)
    }


def violations(smtp: SmtpServer) -> list[str]:
    """The objections of the balance of all records, except about mails still queued."""
    with connection.cursor() as cursor:
        cursor.execute(record.ROWS)
        rows = [record.row(found) for found in cursor.fetchall()]
        cursor.execute(record.COUNTS)
        counts = dict(record.counts(found) for found in cursor.fetchall())
    taken = Counter((one.message_id, one.recipient) for one in smtp.taken)
    found = balance(wanted=[], rows=rows, taken=taken, counts=counts, losses=[]).violations
    return [one for one in found if "queued" not in one or one.startswith("uneven")]


def database_seconds_since(moment: datetime) -> float:
    """How long ago a moment was, by the clock of the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM statement_timestamp() - %s)", [moment])
        return float(cursor.fetchone()[0])
