"""The outbox, the public API of mail: what is recorded here is never lost.

`send` and `broadcast` write rows in the caller's transaction and do nothing else: they contact
neither the broker nor an SMTP server. If the transaction commits, the mail will be sent; if it
does not, there never was a mail.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from mail import audiences
from mail.content import builder
from mail.content.placeholders import ADDRESS, NAME
from mail.kinds import Kind
from mail.ledger import transitions
from mail.models import Broadcast, Delivery, Lane, Message
from mail.models.delivery import DeliveryQuerySet

__all__ = [
    "ADDRESS",
    "NAME",
    "KeyConflict",
    "NotResumable",
    "broadcast",
    "cancel",
    "mark_sent",
    "pause",
    "resend",
    "resume",
    "send",
]

Params = Mapping[str, Any]


class KeyConflict(ValueError):
    """The key already belongs to a mail of another kind, recipients, params or content."""


class NotResumable(ValueError):
    """A cancelled Message cannot be resumed."""


def send(
    email: EmailMessage,
    *,
    kind: Kind,
    key: str | None = None,
    params: Params | None = None,
    send_at: datetime | None = None,
    expires_at: datetime | None = None,
) -> Message:
    """Record a mail and one queued Delivery per distinct recipient (To, Cc and Bcc alike).

    `key` identifies the mail permanently: a later call with the same kind, recipients and
    `params` (without params: the same content) returns the Message that exists. The mail leaves
    at `send_at`, by default at once. If it is still queued at `expires_at`, by default after the
    give-up time of its kind, it fails as `expired`.

    Raises InvalidMail for a mail that cannot be sent, KeyConflict for a key that belongs to
    another mail, and whatever Django's own backend raises before it connects.
    """
    addresses, duplicates = builder.recipients(email)
    if not addresses:
        raise builder.InvalidMail("to: no recipients")
    unique = uuid.uuid4()
    domain = _domain(email)
    built = builder.build(email, message_id=f"<{unique}@{domain}>")
    message = _message(
        kind, built, uuid=unique, message_id_domain=domain, key=key, duplicates=duplicates
    )
    message.fingerprint = _fingerprint(kind, sorted(addresses), params, built)
    message.queued = len(addresses)
    due_at = send_at or Now()
    times = {"due_at": due_at, "expires_at": expires_at or due_at + kind.give_up_after}
    deliveries = [
        Delivery(message=message, lane=kind.lane, address=address, **times)
        for address in addresses
    ]
    return _record(message, partial(Delivery.objects.bulk_create, deliveries))


def broadcast(
    email: EmailMessage,
    *,
    kind: Kind,
    audience: str,
    params: Params,
    key: str | None = None,
) -> Message:
    """Record a mail to everyone in the audience as of now, ten recipients or a million.

    The recipients become Deliveries in the background. `NAME` and `ADDRESS` in subject and body
    are replaced for each of them. Raises InvalidMail, KeyConflict and UnknownAudience.
    """
    audiences.recipients(audience, dict(params), timezone.now())  # fail now, not in a worker
    built = builder.build_personal(email)
    message = _message(
        kind, built, uuid=uuid.uuid4(), message_id_domain=_domain(email), key=key, personal=True
    )
    message.fingerprint = _fingerprint(kind, [audience], params, built)
    expansion = Broadcast(message=message, audience=audience, params=dict(params))
    return _record(message, partial(expansion.save, force_insert=True))


def resend(deliveries: DeliveryQuerySet, *, include_uncertain: bool = False) -> int:
    """Queue failed Deliveries again, due now and with the full give-up time; return how many.

    With `include_uncertain`, uncertain ones too: a second copy may then reach the recipient. Those
    of a cancelled Message, or of one whose content was erased, stay as they are.
    """
    return transitions.requeue(deliveries.resendable(include_uncertain=include_uncertain))


def mark_sent(deliveries: QuerySet[Delivery]) -> int:
    """Settle uncertain Deliveries as sent, on a person's evidence; return how many."""
    return transitions.settle(
        deliveries.filter(state=Delivery.State.UNCERTAIN),
        Delivery.State.SENT,
        reply="marked sent by a person",
    )


def pause(message: Message) -> None:
    """Stop sending. A mail that is being sent is finished; the rest wait for `resume`."""
    _set_flags(message, paused_at=Now())


def resume(message: Message) -> None:
    """Continue after a pause. Raises NotResumable when the Message was cancelled."""
    if Message.objects.filter(pk=message.pk, cancelled_at__isnull=False).exists():
        raise NotResumable("a cancelled message cannot be resumed")
    _set_flags(message, paused_at=None, pause_reason="")


def cancel(message: Message) -> None:
    """Cancel what has not been sent yet, permanently. Settled Deliveries keep their state."""
    _set_flags(message, cancelled_at=Now())


def _set_flags(message: Message, **flags: Any) -> None:
    transitions.set_flags(message, **flags)
    message.refresh_from_db(fields=["paused_at", "pause_reason", "cancelled_at", "flags_pending"])


def _message(kind: Kind, built: builder.Content, **fields: Any) -> Message:
    return Message(
        kind=kind.name,
        lane=Lane(kind.lane),
        on_uncertain=kind.on_uncertain,
        give_up_after=kind.give_up_after,
        keep_for=kind.keep_for,
        erase_at=None if kind.keep_for is None else Now() + kind.keep_for,
        **built.columns(),
        **fields,
    )


def _record(message: Message, write_recipients: Callable[[], object]) -> Message:
    """Write the Message and its recipients, or return the Message that already has its key."""
    with transaction.atomic(savepoint=False):
        if Message.objects.insert_once(message):
            write_recipients()
            return message
    known = Message.objects.deferring_content().get(key=message.key)
    if known.fingerprint != message.fingerprint:
        raise KeyConflict(f"key {message.key!r} belongs to another mail, message {known.pk}")
    return known


def _fingerprint(kind: Kind, to: list[str], params: Params | None, built: builder.Content) -> str:
    """A digest of what identifies a mail: its params if given, else its content."""
    identity = params if params is not None else built.digests()
    text = json.dumps([kind.name, to, identity], sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _domain(email: EmailMessage) -> str:
    return builder.envelope_sender(email).rpartition("@")[2] or "localhost"
