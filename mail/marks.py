"""Marks: the durable cursor on a claimed Batch.

A mark is written before every terminating dot, on an autocommit connection of its own: everything
up to `through_id` is settled, a dot is about to be written, the owner lives. It is the one
statement outside the ORM, because it is on the path of every mail. With PostgreSQL it is prepared
once per connection and does not wait for the disk, unless the mail is of a kind that holds.
"""

import threading
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from mail.models import Batch


class LeaseLost(Exception):
    """The Batch belongs to somebody else now, or its deadline has passed: stop, write no dot."""


class Marker(Protocol):
    """Writes the marks of one claim."""

    def mark(self, batch_id: int, token: UUID, through_id: int, *, begun: bool) -> bool:
        """Move the cursor and renew the lease; return whether the Batch was recalled.

        Raises LeaseLost when the token no longer owns the Batch, DatabaseError when the database
        cannot say.
        """


MARK = """
    UPDATE mail_batch
       SET through_id = greatest(through_id, %s), begun = begun OR %s,
           lease_until = statement_timestamp() + %s
     WHERE id = %s AND token = %s AND closed_at IS NULL
 RETURNING recalled
"""


class PostgresMarker:
    """Marks through psycopg, prepared, on a connection kept by this slot."""

    def __init__(self, *, wait_for_disk: bool) -> None:
        self.wait_for_disk = wait_for_disk

    def mark(self, batch_id: int, token: UUID, through_id: int, *, begun: bool) -> bool:
        values = (through_id, begun, settings.MAIL_LEASE, batch_id, token)
        try:
            row = self._connection().execute(MARK, values, prepare=True).fetchone()
        except psycopg.Error:
            close()
            raise
        if row is None:
            raise LeaseLost
        return bool(row[0])

    def _connection(self) -> psycopg.Connection[tuple[bool]]:
        name = f"wait_for_disk={self.wait_for_disk}"
        if name not in _kept.__dict__:
            # Django turns prepared statements off, for all of a connection.
            params = connection.get_connection_params() | {"prepare_threshold": 5}
            params.pop("cursor_factory", None)
            made = psycopg.connect(**params, autocommit=True)
            made.execute(f"SET synchronous_commit = {'on' if self.wait_for_disk else 'off'}")
            setattr(_kept, name, made)
        found: psycopg.Connection[tuple[bool]] = getattr(_kept, name)
        return found


class OrmMarker:
    """Marks through Django, for SQLite."""

    def mark(self, batch_id: int, token: UUID, through_id: int, *, begun: bool) -> bool:
        own = Batch.objects.filter(pk=batch_id, token=token, closed_at=None)
        changes = {"through_id": through_id} if through_id else {}
        if begun:
            changes["begun"] = True
        if not own.update(lease_until=Now() + settings.MAIL_LEASE, **changes):
            raise LeaseLost
        return own.filter(recalled=True).exists()


_kept = threading.local()


def marker(*, wait_for_disk: bool) -> Marker:
    """The marker for the database in use."""
    if connection.vendor == "postgresql":
        return PostgresMarker(wait_for_disk=wait_for_disk)
    return OrmMarker()


def close() -> None:
    """Close the connections that this slot keeps for its marks."""
    for name in list(_kept.__dict__):
        _kept.__dict__.pop(name).close()


def margin() -> timedelta:
    """How long before the end of the lease a worker stops writing dots."""
    lease: timedelta = settings.MAIL_LEASE
    return lease / 4
