"""The inbox: it processes each verified webhook once."""

import logging

from django.db import transaction
from django.utils import timezone

from payment.gateways import Event
from payment.models import Payment, WebhookEvent
from payment.services import AmountMismatch, NotPayable, cancel_payment, complete_payment

log = logging.getLogger(__name__)

Outcome = WebhookEvent.Outcome
EFFECTS = {Event.PAID: complete_payment, Event.CANCELLED: cancel_payment}


def process_event(*, event: Event) -> WebhookEvent:
    """Apply an event and store it, in one transaction; for a replay, return the stored one.

    An event that contradicts the payment is quarantined for a person and changes nothing. Events
    may arrive late and in any order; none moves a state back.
    """
    with transaction.atomic():
        entry, is_new = WebhookEvent.objects.get_or_create(
            provider=event.provider, event_id=event.event_id, defaults={"type": event.type}
        )
        if not is_new:
            return entry
        entry.outcome, entry.detail = _apply(entry, event)
        entry.processed_at = timezone.now()
        entry.save()
    if entry.outcome == Outcome.QUARANTINED:
        log.error("quarantined webhook event %s: %s", entry.pk, entry.detail)
    return entry


def _apply(entry: WebhookEvent, event: Event) -> tuple[Outcome, str]:
    effect, approval = EFFECTS.get(event.type), event.approval
    if effect is None:
        return Outcome.IGNORED, "unknown type"
    if approval is None:
        return Outcome.QUARANTINED, "a field of the payment is missing or malformed"
    orders = Payment.objects.filter(provider=event.provider, order_number=approval.order_number)
    entry.payment = orders.locked().first()
    if entry.payment is None:
        return Outcome.QUARANTINED, "unknown order"
    try:
        effect(payment_id=entry.payment.pk, approval=approval)
    except (AmountMismatch, NotPayable) as error:
        return Outcome.QUARANTINED, str(error)
    return Outcome.PROCESSED, ""
