"""Acceptances: the plain 250s of a Batch, written in bulk at its end.

A 250 is a fact: it is recorded whoever holds the claim, and whatever the Delivery has become.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import connection

from mail.ledger import transitions
from mail.models import Delivery
from mail.transport.replies import Answer
from mail.worker.claims import Bound, Claim

State = Delivery.State


class Accepted(NamedTuple):
    """A Delivery that the server took with a plain 250, and how many seconds after the claim."""

    delivery: Bound
    answer: Answer
    after: float


def write(claim: Claim, accepted: Sequence[Accepted]) -> None:
    """Write 250s in the caller's transaction, and count them.

    Those of what is still queued, as good as all, take one statement. A deadlock with somebody
    who settles the same rows otherwise is an OperationalError, and the caller tries again.
    """
    written = _write_accepted(claim, accepted)
    if len(written) == len(accepted):
        transitions.count((one.delivery.message_id, State.QUEUED, State.SENT) for one in accepted)
    else:
        transitions.count(_moves_of_all(claim, accepted, written))


def _moves_of_all(
    claim: Claim, accepted: Sequence[Accepted], written: set[int]
) -> list[transitions.Move]:
    """Write those 250s, too, whose Deliveries somebody has settled otherwise meanwhile."""
    found = Delivery.objects.filter(pk__among={one.delivery.pk for one in accepted} - written)
    locked = found.select_for_update(of=("self",)).exclude(state=State.SENT).order_by("pk")
    state = dict(locked.values_list("pk", "state"))
    late = [one for one in accepted if one.delivery.pk in state]
    _write_accepted(claim, late, of_any_state=True)
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
"""`|| ''` keeps the planner away from the indexes of queued rows, of which it may know nothing yet."""
SENT_ONE = (
    SENT.format(at="%s", code="%s", enhanced="%s", reply="%s", host="%s")
    + " WHERE id = %s AND (state = 'queued' OR %s) RETURNING id"
)


def _write_accepted(
    claim: Claim, accepted: Sequence[Accepted], *, of_any_state: bool = False
) -> set[int]:
    """Write the 250s of what is queued, or of all; return the ids of the rows that changed."""
    if not accepted:
        return set()
    rows: list[tuple[Any, ...]] = [
        (one.after, *one.answer.columns.values(), one.delivery.pk) for one in accepted
    ]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = map(_array, zip(*rows, strict=True))
            cursor.execute(SENT_ALL, [claim.claimed_at, *arrays, of_any_state])
            return {pk for (pk,) in cursor.fetchall()}
        changed = set[int]()
        for after, *values in rows:
            at = claim.claimed_at + timedelta(seconds=after)
            adapted = connection.ops.adapt_datetimefield_value(at)
            cursor.execute(SENT_ONE, [adapted, *values, of_any_state])
            changed |= {pk for (pk,) in cursor.fetchall()}
        return changed


def _array(values: Iterable[Any]) -> str:
    """An array as PostgreSQL reads it, sooner made than psycopg makes it of a list."""
    quoted = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{one}"' for one in quoted) + "}"
