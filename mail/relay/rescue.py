"""Rescue: settle the Batches of dead workers.

A lease that has expired is not yet a dead worker: while the database was away nobody could renew.
So a relay rescues only what it saw expired, with the same lease, at both ends of one unbroken
database session at least a lease long.
"""

import logging
import time
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from mail.conf import settings
from mail.ledger import transitions
from mail.ledger.states import POISON, settlement
from mail.models import Attempt, Batch, Delivery, Message
from mail.worker.claims import server_started
from mail.worker.results import when_resent

logger = logging.getLogger(__name__)

State = Delivery.State

Lease = tuple[int, UUID | None, datetime | None]
"""A Batch's id, the token of its owner, and until when its lease runs."""


class Rescuer:
    """What this relay has seen expire, and since when, in the database session it is in."""

    def __init__(self) -> None:
        self.session: object = None
        self.seen: dict[Lease, float] = {}

    def rescue(self) -> int:
        """Settle the Batches whose workers are certainly gone; return how many."""
        connection.ensure_connection()
        if self.session is not connection.connection:
            self.session, self.seen = connection.connection, {}
        now, patience = time.monotonic(), settings.MAIL_LEASE.total_seconds()
        expired = Batch.objects.filter(closed_at=None, lease_until__lt=Now())
        leases = expired.values_list("pk", "token", "lease_until")
        self.seen = {lease: self.seen.get(lease, now) for lease in leases}
        over = [lease for lease, since in self.seen.items() if now - since >= patience]
        return sum(settle(*lease) for lease in over)


def settle(batch_id: int, token: UUID | None, lease_until: datetime | None) -> bool:
    """Settle one dead worker's Batch, unless it has come back to life; return whether it was.

    Its cursor tells what became of the open rows. If PostgreSQL itself crashed since the claim,
    marks may be missing.
    """
    with transaction.atomic():
        dead = Batch.objects.filter(
            pk=batch_id, token=token, lease_until=lease_until, closed_at=None
        )
        if not dead.update(closed_at=Now(), rescued=True):
            return False
        batch = Batch.objects.get(pk=batch_id)
        rows = list(
            Delivery.objects.filter(batch=batch, state=State.QUEUED)
            .select_for_update(of=("self",))
            .order_by("pk")
        )
        known = settlement(
            [row.pk for row in rows],
            through_id=batch.through_id,
            begun=batch.begun,
            marks_missing=batch.server_started != server_started(),
        )
        by_pk = {row.pk: row for row in rows}
        _write_accepted([by_pk[pk] for pk in known.accepted])
        _write_unsure(batch, [by_pk[pk] for pk in known.uncertain])
        _release([by_pk[pk] for pk in known.unsent], charge_first=not known.uncertain)
    logger.warning(
        "batch %s: its worker died; %s sent, %s uncertain, %s queued again",
        *(batch_id, len(known.accepted), len(known.uncertain), len(known.unsent)),
    )
    return True


def _write_accepted(rows: list[Delivery]) -> None:
    Delivery.objects.filter(pk__among=[row.pk for row in rows]).update(
        state=State.SENT,
        settled_at=Now(),
        due_at=None,
        code="250",
        reply="accepted, reply not kept",
        attempts=F("attempts") + 1,
    )
    transitions.count((row.message_id, State.QUEUED, State.SENT) for row in rows)


def _write_unsure(batch: Batch, rows: list[Delivery]) -> None:
    policy = dict(
        Message.objects.filter(pk__among={row.message_id for row in rows}).values_list(
            "pk", "on_uncertain"
        )
    )
    for row in rows:
        Delivery.objects.filter(pk=row.pk).update(
            state=State.UNCERTAIN,
            settled_at=Now(),
            due_at=when_resent(policy[row.message_id], row.uncertainties),
            uncertainties=row.uncertainties + 1,
            attempts=row.attempts + 1,
            crashes=row.crashes + 1,
        )
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


def _release(rows: list[Delivery], *, charge_first: bool) -> None:
    """Return rows to the queue; the first may be what killed the worker, three times fail it."""
    if rows and charge_first:
        first = rows[0]
        if first.crashes + 1 >= POISON:
            _write_poison(first)
            rows = rows[1:]
        else:
            Delivery.objects.filter(pk=first.pk).update(crashes=F("crashes") + 1)
    transitions.unbind(Delivery.objects.filter(pk__among=[row.pk for row in rows]))


def _write_poison(row: Delivery) -> None:
    Delivery.objects.filter(pk=row.pk).update(
        state=State.FAILED,
        settled_at=Now(),
        due_at=None,
        code="poison",
        reply=f"{POISON} workers died with this mail in hand",
        crashes=F("crashes") + 1,
    )
    Attempt.objects.create(delivery=row, batch_id=row.batch_id, outcome="failed", code="poison")
    transitions.count([(row.message_id, State.QUEUED, State.FAILED)])
