"""Marks: the durable cursor on a claimed Batch.

A mark is written before every terminating dot, on an autocommit connection of its own: everything
up to `through_id` is settled, a dot is about to be written, the owner lives. It is the one
statement outside the ORM, because it is on the path of every mail. With PostgreSQL it does not
wait for the disk, unless the mail is of a kind that holds.
"""

import threading
from datetime import timedelta
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

import psycopg
from django.db import connection
from django.db.models.functions import Now
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from mail.conf import settings
from mail.models import Batch


class LeaseLost(Exception):
    """The Batch belongs to somebody else now, or its deadline has passed: stop, write no dot."""


class Marker(Protocol):
    """Writes the marks of one claim."""

    def start(self, batch_id: int, token: UUID, through_id: int) -> None:
        """Begin the mark of a dot, if that can be done without waiting; `mark` ends it.

        Nothing else is asked of this marker in between. Raises DatabaseError.
        """

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
        self.started: PGconn | None = None
        """Where a mark is under way."""

    def start(self, batch_id: int, token: UUID, through_id: int) -> None:
        database = self._connection().pgconn
        try:
            database.send_query_prepared(b"mark", _values(through_id, "true", batch_id, token))
        except psycopg.OperationalError:
            close()
            raise
        self.started = database

    def mark(self, batch_id: int, token: UUID, through_id: int, *, begun: bool) -> bool:
        database, self.started = self.started, None
        if database:
            result = _last_result(database)
        else:
            flag = "true" if begun else "false"
            result = self._execute(b"mark", _values(through_id, flag, batch_id, token))
        if not _checked(result).ntuples:
            raise LeaseLost
        return result.get_value(0, 0) == b"t"

    def end(self, batch_id: int, token: UUID, through_id: int) -> None:
        _checked(self._execute(b"end", _values(through_id, batch_id, token)))

    def _execute(self, prepared: bytes, values: list[bytes]) -> PGresult:
        return self._connection().pgconn.exec_prepared(prepared, values)

    def _connection(self) -> psycopg.Connection[Any]:
        name = f"wait_for_disk={self.wait_for_disk}"
        if name not in _kept.__dict__:
            setattr(_kept, name, _connected(wait_for_disk=self.wait_for_disk))
        found: psycopg.Connection[Any] = getattr(_kept, name)
        return found


def _values(*values: int | str | UUID) -> list[bytes]:
    return [
        _text_of(value) if isinstance(value, UUID) else str(value).encode("ascii")
        for value in values
    ]


@lru_cache(maxsize=1000)  # the token of a claim is in all its marks
def _text_of(token: UUID) -> bytes:
    return str(token).encode("ascii")


def _last_result(database: PGconn) -> PGresult:
    """What the statement that was sent came to; the connection is free again."""
    last = result = database.get_result()
    while result is not None:
        last, result = result, database.get_result()
    if last is None:
        close()
        raise psycopg.OperationalError("the connection was lost")
    return last


def _checked(result: PGresult) -> PGresult:
    """The result, if the statement was carried out. Raises OperationalError."""
    if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        close()
        raise psycopg.OperationalError(result.error_message.decode("utf-8", "replace"))
    return result


def _connected(*, wait_for_disk: bool) -> psycopg.Connection[Any]:
    """A connection of its own, in autocommit, with its statements prepared."""
    params = connection.get_connection_params()
    params.pop("cursor_factory", None)
    made = psycopg.connect(**params, autocommit=True)
    made.execute(f"SET synchronous_commit = {'on' if wait_for_disk else 'off'}")
    # Planned once for all: a plan made while the table was small would read the whole of it.
    made.execute("SET plan_cache_mode = force_generic_plan")
    made.execute("SET enable_seqscan = off")
    lease = settings.MAIL_LEASE.total_seconds()
    made.execute(f"PREPARE mark (bigint, boolean, bigint, uuid) AS {MARK.format(lease=lease)}")
    made.execute(f'PREPARE "end" (bigint, bigint, uuid) AS {END}')
    return made


class OrmMarker:
    """Marks through Django, for SQLite."""

    def start(self, batch_id: int, token: UUID, through_id: int) -> None:
        """Nothing: it would have to wait."""

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
