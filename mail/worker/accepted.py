"""Accepted: the plain 250s of a Batch, written in bulk at its end.

A 250 is a fact: it is recorded whoever owns the Batch, and whatever the Delivery has become.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import connection

from mail.ledger import transitions
from mail.ledger.states import State
from mail.models import Delivery
from mail.transport.replies import Reply
from mail.worker.claims import ClaimedDelivery
from mail.worker.lease import Lease


class Accepted(NamedTuple):
    """A Delivery that the server accepted with a plain 250, and when by the clock of the lease."""

    delivery: ClaimedDelivery
    reply: Reply
    at: float


def write(lease: Lease, accepted: Sequence[Accepted]) -> None:
    """Write 250s in the caller's transaction, and count them.

    Those that are still queued, nearly always all, take one statement. A deadlock with somebody
    who settles the same rows is an OperationalError, and the caller tries again.
    """
    written = _write(lease, accepted)
    if len(written) == len(accepted):
        transitions.count((one.delivery.message_id, State.QUEUED, State.SENT) for one in accepted)
    else:
        transitions.count(_moves_of_all(lease, accepted, written))


def _moves_of_all(
    lease: Lease, accepted: Sequence[Accepted], written: set[int]
) -> list[transitions.Move]:
    """Write also the 250s whose Deliveries were settled otherwise meanwhile; return all moves."""
    found = Delivery.objects.filter(pk__among={one.delivery.pk for one in accepted} - written)
    locked = found.select_for_update(of=("self",)).exclude(state=State.SENT).order_by("pk")
    state = dict(locked.values_list("pk", "state"))
    late = [one for one in accepted if one.delivery.pk in state]
    _write(lease, late, in_any_state=True)
    state |= dict.fromkeys(written, State.QUEUED)
    return [
        (one.delivery.message_id, state[one.delivery.pk], State.SENT)
        for one in accepted
        if one.delivery.pk in state
    ]


SENT = """
    UPDATE mail_delivery
       SET state = 'sent', settled_at = {at}, code = {code}, enhanced = {enhanced},
           reply = {reply}, host = {host}, due_at = NULL, parked = false, attempts = attempts + 1
"""
SENT_ALL = (
    SENT.format(
        at="%s::timestamptz + one.after * interval '1 second'",
        **{name: f"one.{name}" for name in ("code", "enhanced", "reply", "host")},
    )
    + """
      FROM unnest(%s::float8[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[])
           AS one (after, code, enhanced, reply, host, id)
     WHERE mail_delivery.id = one.id AND (state || '' = 'queued' OR %s)
 RETURNING mail_delivery.id
"""
)
"""`|| ''` keeps the planner from the indexes of queued rows, whose statistics may be out of date."""
SENT_ONE = (
    SENT.format(at="%s", code="%s", enhanced="%s", reply="%s", host="%s")
    + " WHERE id = %s AND (state = 'queued' OR %s) RETURNING id"
)


def _write(lease: Lease, accepted: Sequence[Accepted], *, in_any_state: bool = False) -> set[int]:
    """Write the 250s of the Deliveries that are queued, or of all; return the ids written."""
    if not accepted:
        return set()
    rows: list[tuple[Any, ...]] = [
        (one.at - lease.taken_at, *one.reply.columns.values(), one.delivery.pk) for one in accepted
    ]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = map(_array, zip(*rows, strict=True))
            cursor.execute(SENT_ALL, [lease.claimed_at, *arrays, in_any_state])
            return {pk for (pk,) in cursor.fetchall()}
        changed = set[int]()
        for after, *values in rows:
            at = lease.claimed_at + timedelta(seconds=after)
            adapted = connection.ops.adapt_datetimefield_value(at)
            cursor.execute(SENT_ONE, [adapted, *values, in_any_state])
            changed |= {pk for (pk,) in cursor.fetchall()}
        return changed


def _array(values: Iterable[Any]) -> str:
    """An array literal of PostgreSQL; cheaper than psycopg's adaptation of a list."""
    quoted = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{one}"' for one in quoted) + "}"
