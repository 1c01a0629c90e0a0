"""Claims: one worker takes a Batch, under a lease and a token, and owns it until it closes it.

A claim is one conditional UPDATE; whoever changes no row has nothing to do.
"""

import os
import socket
import threading
import uuid
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from django.db.models import F, Subquery
from django.db.models.functions import Length, Now

from mail.conf import settings
from mail.ledger.database_server import server_started
from mail.models import Batch, Delivery, Lane, Message, OnUncertain, Seconds
from mail.worker import lease
from mail.worker.checkpoint import Checkpoint, writer_for
from mail.worker.checkpoint_sql import CheckpointSessions
from mail.worker.lease import Lease


@dataclass(slots=True)
class ClaimedDelivery:
    """What a worker reads of an open Delivery of its Batch."""

    pk: int
    message_id: int
    address: str
    name: str
    expires_in: float  # seconds from the claim
    attempts: int
    uncertainties: int


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A Batch that this worker has claimed."""

    batch_id: int
    lane: Lane
    lease: Lease
    checkpoint: Checkpoint
    deliveries: list[ClaimedDelivery]
    """Its open Deliveries, in the order of their ids."""
    messages: dict[int, Any]
    """Their Messages by id, without content; `octets` is its length."""

    def read_stopped_messages(self) -> set[int]:
        """The Messages of this Batch that are paused or cancelled now."""
        Batch.objects.filter(pk=self.batch_id).update(flags_changed=False)
        self.checkpoint.flags_changed = False
        found = Message.objects.filter(pk__among=self.messages).stopped()
        return set(found.values_list("pk", flat=True))


DELIVERY_COLUMNS = tuple(field.name for field in fields(ClaimedDelivery))
MESSAGE_COLUMNS = (
    *("uuid", "lane", "on_uncertain", "personal", "message_id", "message_id_domain"),
    *("envelope_from", *Delivery.State.values, "paused_at", "cancelled_at", "erased_at"),
)
"""The content is read when it is sent; other columns are not needed for delivery."""


def claimable_lane(batch_id: int) -> Lane | None:
    """The lane of a Batch that may be claimed now, or None."""
    lane = Batch.objects.unclaimed().not_held().filter(pk=batch_id).values_list("lane", flat=True)
    return Lane(found) if (found := lane.first()) else None


def take(
    batch_id: int, token: uuid.UUID | None = None, *, sessions: CheckpointSessions | None = None
) -> Claim | None:
    """Claim a Batch, or return None: it is another's, done, or its transport is held.

    Called again with the same token after an outage of the database, it continues with a claim
    whose confirmation was lost. Checkpoints are written on `sessions`, those of the calling slot.
    """
    before, token = lease.boottime(), token or uuid.uuid4()
    if not _claim(batch_id, token):
        # Refused because of a hold: the task is used up, so the relay publishes the id again later.
        Batch.objects.held().filter(pk=batch_id, token=None).update(published_at=None)
        return None
    deliveries = _open_deliveries(batch_id)
    messages = _messages(batch_id, {one.message_id for one in deliveries})
    lane, claimed_at = _facts(batch_id, messages)
    owned = Lease(token, taken_at=before, claimed_at=claimed_at)
    wait_for_disk = any(one.on_uncertain == OnUncertain.HOLD for one in messages.values())
    writer = writer_for(
        batch_id, token, sessions or CheckpointSessions(), wait_for_disk=wait_for_disk
    )
    return Claim(
        batch_id=batch_id,
        lane=Lane(lane),
        lease=owned,
        checkpoint=Checkpoint(owned, writer),
        deliveries=deliveries,
        messages=messages,
    )


def _claim(batch_id: int, token: uuid.UUID) -> bool:
    claimed = Batch.objects.claimable(batch_id, token).update(
        token=token,
        worker=_worker_name(),
        claimed_at=Now(),
        lease_until=Now() + settings.MAIL_LEASE,
        server_started=server_started(),
    )
    return bool(claimed)


def _open_deliveries(batch_id: int) -> list[ClaimedDelivery]:
    found = Delivery.objects.queued().filter(batch=batch_id).order_by()
    found = found.annotate(expires_in=Seconds(F("expires_at") - _claimed_at(batch_id)))
    rows = (ClaimedDelivery(*row) for row in found.values_list(*DELIVERY_COLUMNS))
    return sorted(rows, key=attrgetter("pk"))


def _messages(batch_id: int, pks: set[int]) -> dict[int, Any]:
    """Messages by id, in the order of their ids, each with the moment of the claim."""
    found = Message.objects.only(*MESSAGE_COLUMNS).filter(pk__among=pks).order_by("pk")
    read = found.annotate(octets=Length("mime"), claimed_at=_claimed_at(batch_id))
    return {one.pk: one for one in read}


def _claimed_at(batch_id: int) -> Subquery:
    return Subquery(Batch.objects.filter(pk=batch_id).values("claimed_at"))


def _facts(batch_id: int, messages: dict[int, Any]) -> tuple[str, Any]:
    """Lane and time of the claim; an extra query only if the Batch has no open Delivery."""
    for message in messages.values():
        return message.lane, message.claimed_at
    return Batch.objects.values_list("lane", "claimed_at").get(pk=batch_id)


def _worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident() % 100_000}"
