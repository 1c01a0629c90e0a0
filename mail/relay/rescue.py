"""Rescue: settle the Batches of dead workers.

A lease that has expired does not yet mean a dead worker: while the database was unavailable nobody
could renew. So a relay rescues only what it saw expired, with the same lease, at both ends of one
unbroken database session at least a lease long.
"""

import logging
import time
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from mail.conf import settings
from mail.ledger import changes, transitions
from mail.ledger.database_server import server_started
from mail.ledger.states import POISON, State, settlement
from mail.models import Attempt, Batch, Delivery, Message

logger = logging.getLogger(__name__)

ExpiredLease = tuple[int, UUID | None, datetime | None]
"""A Batch's id, the token of its owner, and until when its lease ran."""


class Rescuer:
    """The leases this relay has seen expire, and since when, in its current database session."""

    def __init__(self) -> None:
        self.session: object = None
        self.seen: dict[ExpiredLease, float] = {}

    def rescue(self) -> int:
        """Settle the Batches whose workers are certainly dead; return how many."""
        connection.ensure_connection()
        if self.session is not connection.connection:
            self.session, self.seen = connection.connection, {}
        now, patience = time.monotonic(), settings.MAIL_LEASE.total_seconds()
        expired = Batch.objects.open().filter(lease_until__lt=Now())
        leases = expired.values_list("pk", "token", "lease_until")
        self.seen = {lease: self.seen.get(lease, now) for lease in leases}
        over = [lease for lease, since in self.seen.items() if now - since >= patience]
        return sum(settle(*lease) for lease in over)


def settle(batch_id: int, token: UUID | None, lease_until: datetime | None) -> bool:
    """Settle one dead worker's Batch, unless its owner has renewed the lease; return whether.

    Its cursor tells what became of the open rows. If PostgreSQL itself crashed since the claim,
    checkpoints may be missing.
    """
    with transaction.atomic():
        dead = Batch.objects.open().filter(pk=batch_id, token=token, lease_until=lease_until)
        if not dead.update(closed_at=Now(), rescued=True):
            return False
        batch = Batch.objects.get(pk=batch_id)
        open_rows = Delivery.objects.queued().filter(batch=batch)
        rows = {row.pk: row for row in open_rows.select_for_update(of=("self",)).order_by("pk")}
        known = settlement(
            list(rows),
            through_id=batch.through_id,
            begun=batch.begun,
            checkpoints_missing=batch.server_started != server_started(),
        )
        _write_accepted([rows[pk] for pk in known.accepted])
        _write_uncertain(batch, [rows[pk] for pk in known.uncertain])
        _release([rows[pk] for pk in known.unsent], is_suspect=not known.uncertain)
    logger.warning(
        "batch %s: its worker died; %s sent, %s uncertain, %s queued again",
        *(batch_id, len(known.accepted), len(known.uncertain), len(known.unsent)),
    )
    return True


def _write_accepted(rows: list[Delivery]) -> None:
    written = changes.settled(State.SENT, code="250", reply="accepted, reply not kept")
    Delivery.objects.filter(pk__among=[row.pk for row in rows]).update(
        **written, attempts=F("attempts") + 1
    )
    transitions.count((row.message_id, State.QUEUED, State.SENT) for row in rows)


def _write_uncertain(batch: Batch, rows: list[Delivery]) -> None:
    messages = Message.objects.filter(pk__among={row.message_id for row in rows})
    policy = dict(messages.values_list("pk", "on_uncertain"))
    for row in rows:
        written = changes.uncertain(
            policy[row.message_id], uncertainties=row.uncertainties, attempts=row.attempts + 1
        )
        Delivery.objects.filter(pk=row.pk).update(**written, crashes=row.crashes + 1)
    Attempt.objects.bulk_create(
        Attempt(
            delivery=row,
            batch=batch,
            outcome=Attempt.Outcome.UNCERTAIN,
            phase="dot",
            scope="recipient",
            reply="the worker died before the reply was kept",
        )
        for row in rows
    )
    transitions.count((row.message_id, State.QUEUED, State.UNCERTAIN) for row in rows)


def _release(rows: list[Delivery], *, is_suspect: bool) -> None:
    """Return rows to the queue; if the first may have killed the worker, count that against it."""
    if rows and is_suspect:
        first = rows[0]
        if first.crashes + 1 >= POISON:
            _write_poison(first)
            rows = rows[1:]
        else:
            Delivery.objects.filter(pk=first.pk).update(crashes=F("crashes") + 1)
    transitions.release(Delivery.objects.filter(pk__among=[row.pk for row in rows]))


def _write_poison(row: Delivery) -> None:
    reply = f"{POISON} workers died while sending this mail"
    written = changes.settled(State.FAILED, code="poison", reply=reply)
    Delivery.objects.filter(pk=row.pk).update(**written, crashes=F("crashes") + 1)
    Attempt.objects.create(
        delivery=row, batch_id=row.batch_id, outcome=Attempt.Outcome.FAILED, code="poison"
    )
    transitions.count([(row.message_id, State.QUEUED, State.FAILED)])
