"""Broadcast: recipients become Deliveries, page by page, inside the database.

A page and the cursor that remembers it commit together, so an expansion may be killed anywhere
and goes on exactly there. A page is one INSERT … SELECT: no recipient passes through Python.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, F, Max, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Left, Now

from mail import audiences, record
from mail.models import Broadcast, Delivery, Message

PAGE = 5000  # recipients in one transaction
SECONDS = 1.0  # of work in one task: about a Batch, so that a worker of one slot sends in between
LEASE = timedelta(seconds=10)  # for one page; who takes longer is waited for at its row


def expand(message_id: int, *, is_stopping: Callable[[], bool]) -> int:
    """Record pages of a broadcast until it is done, stopped, or time is up; return how many rows.

    While another worker expands it, nothing is done.
    """
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    mine = Broadcast.objects.filter(free, pk=message_id, expanded_at=None)
    if not mine.update(lease_until=Now() + LEASE):
        return 0
    recorded, ends_at = 0, time.monotonic() + SECONDS
    while time.monotonic() < ends_at and not is_stopping():
        rows = expand_page(message_id)
        if rows is None:
            break
        recorded += rows
    Broadcast.objects.filter(pk=message_id).update(lease_until=None, published_at=None)
    return recorded


def expand_page(message_id: int) -> int | None:
    """Record the next page; return how many rows it made, None when there is none to make now."""
    with transaction.atomic():
        broadcast = Broadcast.objects.select_for_update().get(pk=message_id)
        message = Message.objects.defer("mime", "text", "html").get(pk=message_id)
        if broadcast.expanded_at or message.is_stopped:
            return None
        everyone = audiences.recipients(broadcast.audience, broadcast.params, broadcast.moment)
        rest = everyone.filter(pk__gt=broadcast.cursor).order_by("pk")
        found = rest.values("pk")[:PAGE].aggregate(count=Count("pk"), last=Max("pk"))
        if not found["count"]:
            Broadcast.objects.filter(pk=message_id).update(expanded_at=Now())
            return None
        rows = _insert(message, broadcast, rest.filter(pk__lte=found["last"]))
        Broadcast.objects.filter(pk=message_id).update(
            cursor=found["last"], lease_until=Now() + LEASE
        )
        Message.objects.filter(pk=message_id).update(
            queued=F("queued") + rows, folded=F("folded") + found["count"] - rows
        )
        record.notice_flags([message_id])
        return rows


INSERT = """
    INSERT INTO {table} (message_id, lane, due_at, expires_at, address, name)
    SELECT %s, %s, %s, %s, page.recipient_address, page.recipient_name FROM ({page}) AS page
     WHERE true ORDER BY page.recipient_key
        ON CONFLICT DO NOTHING
"""


def _insert(message: Message, broadcast: Broadcast, recipients: QuerySet[Any]) -> int:
    longest = Delivery._meta.get_field("name").max_length or 0
    page = recipients.annotate(
        recipient_key=F("pk"),
        recipient_address=F("address"),
        recipient_name=Left(Coalesce(F("name"), Value("")), longest),
    ).values("recipient_key", "recipient_address", "recipient_name")
    query, params = page.query.get_compiler(connection=connection).as_sql()
    adapt = connection.ops.adapt_datetimefield_value
    expires_at = broadcast.moment + message.give_up_after
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT.format(table=Delivery._meta.db_table, page=query),
            [message.pk, message.lane, adapt(broadcast.moment), adapt(expires_at), *params],
        )
        return int(cursor.rowcount)
