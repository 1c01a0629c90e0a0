"""Expansion: the recipients of a broadcast become Deliveries, page by page, inside the database.

A page and the cursor that remembers it commit together, so an expansion may be killed anywhere
and continues exactly there. A page is one INSERT … SELECT: no recipient passes through Python. The
first page is small, so that its mails leave while the others are recorded.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Case, Count, F, Max, QuerySet, Value, When
from django.db.models.functions import Coalesce, Left, Now

from mail import audiences
from mail.models import Broadcast, Delivery, Message, stopped

PAGE = 20_000  # recipients in one transaction
FIRST_PAGE = 500  # its own task: the first mails leave while the others are recorded
SECONDS = 1.0  # of work in one task: about a Batch, so that a worker of one slot sends in between
LEASE = timedelta(seconds=10)  # for one page; a page that takes longer keeps its row locked


def expand(message_id: int, *, is_stopping: Callable[[], bool]) -> int:
    """Record pages of a broadcast until it is done, stopped, or time is up; return how many rows.

    Does nothing while another worker expands it.
    """
    mine = Broadcast.objects.unexpanded().free().filter(pk=message_id)
    if not mine.update(lease_until=Now() + LEASE):
        return 0
    recorded, ends_at = 0, time.monotonic() + SECONDS
    while time.monotonic() < ends_at and not is_stopping():
        rows = expand_page(message_id)
        if rows is None:
            break
        recorded += rows
        if recorded == FIRST_PAGE:
            break
    Broadcast.objects.filter(pk=message_id).update(lease_until=None, published_at=None)
    return recorded


def expand_page(message_id: int) -> int | None:
    """Record the next page; return how many rows it made, None when there is none to make now."""
    with transaction.atomic():
        _set_up_page()
        broadcast = _locked(message_id)
        if broadcast.expanded_at or broadcast.message.is_stopped:
            return None
        everyone = audiences.recipients(broadcast.audience, broadcast.params, broadcast.moment)
        rest = everyone.filter(pk__gt=broadcast.cursor).order_by("pk")
        size = PAGE if broadcast.cursor else min(PAGE, FIRST_PAGE)
        found = rest.values("pk")[:size].aggregate(count=Count("pk"), last=Max("pk"))
        if not found["count"]:
            Broadcast.objects.filter(pk=message_id).update(expanded_at=Now())
            return None
        rows = _insert(broadcast, rest.filter(pk__lte=found["last"]))
        Broadcast.objects.filter(pk=message_id).update(
            cursor=found["last"], lease_until=Now() + LEASE
        )
        _count(message_id, rows=rows, duplicates=found["count"] - rows)
        return rows


def _set_up_page() -> None:
    """Let this transaction block nobody.

    Its commit does not wait for the disk: a crash of the database loses a page and its cursor
    together, and nothing that followed from the page, since binding its rows commits later and
    does wait. Foreign keys are checked by the INSERT instead of the commit, when the row of the
    Message is locked and a pause, or the end of a Batch, would have to wait.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off; SET CONSTRAINTS ALL IMMEDIATE")


def _locked(message_id: int) -> Broadcast:
    broadcasts = Broadcast.objects.deferring_content().select_for_update(of=("self",))
    return broadcasts.get(pk=message_id)


def _count(message_id: int, *, rows: int, duplicates: int) -> None:
    """Add a page to the counts; if the Message was stopped meanwhile, its new rows are next."""
    Message.objects.filter(pk=message_id).update(
        queued=F("queued") + rows,
        duplicates=F("duplicates") + duplicates,
        flags_pending=Case(When(stopped(), then=True), default=F("flags_pending")),
    )


INSERT = """
    INSERT INTO {table} (message_id, lane, due_at, expires_at, address, name)
    SELECT %s, %s, %s, %s, page.recipient_address, page.recipient_name FROM ({page}) AS page
     WHERE true ORDER BY page.recipient_key
        ON CONFLICT (message_id, address) DO NOTHING
"""


def _insert(broadcast: Broadcast, recipients: QuerySet[Any]) -> int:
    message = broadcast.message
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
