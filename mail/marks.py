"""Marks: the durable cursor on a claimed Batch.

A mark is written before every terminating dot, on an autocommit connection of its own: everything
up to `through_id` is settled, a dot is about to be written, the owner lives. It is the one
statement outside the ORM, because it is on the path of every mail. With PostgreSQL it does not
wait for the disk, unless the mail is of a kind that holds.
"""

import threading
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

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

    def end(self, batch_id: int, token: UUID, through_id: int) -> None:
        """Close the Batch if the token owns it still. Raises DatabaseError."""


MARK = """
    UPDATE mail_batch
       SET through_id = greatest(through_id, $1), begun = begun OR $2,
           lease_until = statement_timestamp() + make_interval(secs => {lease})
     WHERE id = $3 AND token = $4 AND closed_at IS NULL
 RETURNING recalled
"""


END = """
    UPDATE mail_batch SET closed_at = statement_timestamp(), through_id = $1
     WHERE id = $2 AND token = $3 AND closed_at IS NULL
"""


class PostgresMarker:
    """Marks through libpq, prepared once per connection, on a connection kept by this slot.

    A mark costs this process a fifth of what it costs through a cursor of psycopg, and it is most
    of what the database costs a mail.
    """

    def __init__(self, *, wait_for_disk: bool) -> None:
        self.wait_for_disk = wait_for_disk

    def mark(self, batch_id: int, token: UUID, through_id: int, *, begun: bool) -> bool:
        flag = "true" if begun else "false"
        result = self._execute(b"mark", str(through_id), flag, str(batch_id), token.hex)
        if not result.ntuples:
            raise LeaseLost
        return result.get_value(0, 0) == b"t"

    def end(self, batch_id: int, token: UUID, through_id: int) -> None:
        self._execute(b"end", str(through_id), str(batch_id), token.hex)

    def _execute(self, prepared: bytes, *values: str) -> PGresult:
        database = self._connection().pgconn
        result = database.exec_prepared(prepared, [value.encode("ascii") for value in values])
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            close()
            raise psycopg.OperationalError(result.error_message.decode("utf-8", "replace"))
        return result

    def _connection(self) -> psycopg.Connection[Any]:
        name = f"wait_for_disk={self.wait_for_disk}"
        if name not in _kept.__dict__:
            setattr(_kept, name, _connected(wait_for_disk=self.wait_for_disk))
        found: psycopg.Connection[Any] = getattr(_kept, name)
        return found


def _connected(*, wait_for_disk: bool) -> psycopg.Connection[Any]:
    """A connection of its own, in autocommit, with its statements prepared."""
    params = connection.get_connection_params()
    params.pop("cursor_factory", None)
    made = psycopg.connect(**params, autocommit=True)
    made.execute(f"SET synchronous_commit = {'on' if wait_for_disk else 'off'}")
    lease = settings.MAIL_LEASE.total_seconds()
    made.execute(f"PREPARE mark (bigint, boolean, bigint, uuid) AS {MARK.format(lease=lease)}")
    made.execute(f'PREPARE "end" (bigint, bigint, uuid) AS {END}')
    return made


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

    def end(self, batch_id: int, token: UUID, through_id: int) -> None:
        own = Batch.objects.filter(pk=batch_id, token=token, closed_at=None)
        own.update(closed_at=Now(), through_id=through_id)


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
