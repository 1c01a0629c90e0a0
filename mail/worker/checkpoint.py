"""Checkpoint: the durable cursor of a claimed Batch.

One is written before every end of data, on its own autocommit connection: every Delivery up
to `through_id` is settled, an end of data is about to be written, the owner lives. It is the one
statement outside the ORM, because it is on the path of every mail. PostgreSQL does not wait for
the disk, unless a mail of the Batch is of a kind that holds.
"""

from typing import Any, Protocol
from uuid import UUID

from django.db import connection
from django.db.models.functions import Now

from mail.conf import settings
from mail.models import Batch
from mail.worker.checkpoint_sql import CheckpointSessions, PostgresWriter
from mail.worker.lease import Lease, LeaseLost


class Writer(Protocol):
    """Writes the checkpoints of one claim."""

    def start(self, through_id: int) -> None:
        """Begin to write, if that can be done without waiting; `write` completes it.

        Nothing else is asked of this writer in between. Raises DatabaseError.
        """

    def write(self, through_id: int, *, begun: bool) -> bool | None:
        """Move the cursor and renew the lease; return whether flags of a Message changed.

        Returns None when the claim does not own the Batch. Raises DatabaseError.
        """

    def close(self, through_id: int) -> None:
        """Close the Batch if the claim still owns it. Raises DatabaseError."""


class Checkpoint:
    """The cursor of one Batch. Each write renews the lease."""

    def __init__(self, lease: Lease, writer: Writer) -> None:
        self.lease = lease
        self.writer = writer
        self.flags_changed = False
        """Whether a Message of the Batch was paused, resumed or cancelled since they were read."""
        self.started_at = 0.0
        """When the write that is under way was begun; 0 when there is none."""

    def start(self, through_id: int) -> None:
        """Begin the write that `write` completes. Raises DatabaseError."""
        before = self.lease.clock()
        self.writer.start(through_id)
        self.started_at = before

    def write(self, through_id: int, *, begun: bool) -> float:
        """Make the cursor durable; return when the statement began, by the clock of the lease.

        `begun` says that an end of data follows. Raises LeaseLost and DatabaseError.
        """
        since, self.started_at = self.started_at or self.lease.clock(), 0.0
        changed = self.writer.write(through_id, begun=begun)
        if changed is None:
            raise LeaseLost
        self.flags_changed |= changed
        return since

    def close(self, through_id: int) -> None:
        """Close the Batch: this claim is over. Raises DatabaseError."""
        self.writer.close(through_id)


def writer_for(
    batch_id: int, token: UUID, sessions: CheckpointSessions, *, wait_for_disk: bool
) -> Writer:
    """The writer for the database in use."""
    if connection.vendor == "postgresql":
        return PostgresWriter(batch_id, token, sessions, wait_for_disk=wait_for_disk)
    return OrmWriter(batch_id, token)


class OrmWriter:
    """Writes through Django, for SQLite."""

    def __init__(self, batch_id: int, token: UUID) -> None:
        self.own = Batch.objects.owned_by(batch_id, token)
        self.lease_until = Now() + settings.MAIL_LEASE

    def start(self, through_id: int) -> None:
        """Nothing: it would have to wait."""

    def write(self, through_id: int, *, begun: bool) -> bool | None:
        columns: dict[str, Any] = {"lease_until": self.lease_until}
        if through_id:
            columns["through_id"] = through_id
        if begun:
            columns["begun"] = True
        if not self.own.update(**columns):
            return None
        return self.own.filter(flags_changed=True).exists()

    def close(self, through_id: int) -> None:
        self.own.update(closed_at=Now(), through_id=through_id)
