"""Rows for the tests of the recording side."""

from typing import Any

from django.contrib.auth.models import Permission, User
from django.core.mail import EmailMultiAlternatives
from django.db.models import QuerySet
from django.utils import timezone

from mail import kinds, outbox
from mail.content import builder
from mail.kinds import Kind
from mail.ledger import transitions
from mail.models import Batch, Broadcast, Delivery, Message


def record_mail(*to: str, kind: Kind = kinds.DJANGO, **given: Any) -> Message:
    """A Message with an HTML alternative, queued to each address."""
    email = EmailMultiAlternatives("Hello", "plain words", "shop@moa.example", list(to))
    email.attach_alternative("<p>rich words</p>", "text/html")
    return outbox.send(email, kind=kind, **given)


def record_broadcast(*names: str, expanded: bool = True) -> Message:
    """A broadcast with one queued Delivery to each name, as its expansion leaves it."""
    email = EmailMultiAlternatives(
        f"News for {outbox.NAME}", f"Dear {outbox.NAME}", "shop@moa.example"
    )
    email.attach_alternative(f"<p>Dear {outbox.NAME}</p>", "text/html")
    built = builder.build_personal(email)
    message = Message.objects.create(
        kind="test.news",
        lane="bulk",
        on_uncertain="resend",
        give_up_after=kinds.DJANGO.give_up_after,
        keep_for=kinds.YEAR,
        personal=True,
        message_id_domain="moa.example",
        queued=len(names),
        **built.columns(),
    )
    expanded_at = timezone.now() if expanded else None
    Broadcast.objects.create(message=message, audience="test", expanded_at=expanded_at)
    for name in names:
        Delivery.objects.create(
            message=message,
            lane="bulk",
            address=f"{name.lower()}@example.com",
            name=name,
            due_at=timezone.now(),
            expires_at=timezone.now() + message.give_up_after,
        )
    return message


def settle(deliveries: QuerySet[Delivery] | Message, state: str, **fields: Any) -> None:
    """Set Deliveries, or all of a Message, to a state."""
    if isinstance(deliveries, Message):
        deliveries = Delivery.objects.filter(message=deliveries)
    transitions.settle(deliveries, Delivery.State(state), **fields)


def claim(message: Message) -> Batch:
    """Bind the queued Deliveries of a Message to a Batch that a worker has claimed."""
    queued = Delivery.objects.filter(message=message, state="queued")
    batch = Batch.objects.create(
        lane=message.lane, size=queued.count(), claimed_at=timezone.now(), worker="w"
    )
    queued.update(batch=batch)
    return batch


def make_user(name: str, *permissions: str, **fields: Any) -> User:
    """A user with permissions of the mail app, by codename."""
    user = User.objects.create_user(name, f"{name}@moa.example", "secret", **fields)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="mail", codename__in=permissions)
    )
    return user
