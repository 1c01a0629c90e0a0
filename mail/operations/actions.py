"""Actions: what a person does to Messages, Deliveries and Transports, and a log of who did it.

The log is Django's LogEntry, so the admin shows it as the history of the object.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _

from mail import outbox
from mail.models import Delivery, Message
from mail.models.delivery import DeliveryQuerySet
from mail.models.transport import TransportQuerySet

FAR = datetime(9999, 1, 1, tzinfo=UTC)
"""How long a stop by a person lasts: until somebody releases it."""


def pause(message: Message, *, by: Any) -> None:
    """Pause a Message unless it is already paused or cancelled."""
    if not message.is_stopped:
        with transaction.atomic():
            outbox.pause(message)
            _log([message], _("Paused."), by)


def resume(message: Message, *, by: Any) -> None:
    """Resume a paused Message. Raises NotResumable if it is cancelled."""
    with transaction.atomic():
        if message.paused_at is not None or message.cancelled_at is not None:
            outbox.resume(message)
            _log([message], _("Resumed."), by)


def cancel(message: Message, *, by: Any) -> None:
    """Cancel a Message unless it is already cancelled."""
    if message.cancelled_at is None:
        with transaction.atomic():
            outbox.cancel(message)
            _log([message], _("Cancelled."), by)


def resend(deliveries: DeliveryQuerySet, *, by: Any, include_uncertain: bool = False) -> int:
    """Queue failed Deliveries again, and uncertain ones if asked; return how many."""
    messages = _messages_of(deliveries)
    count = outbox.resend(deliveries, include_uncertain=include_uncertain)
    if count:
        what = _("failed and uncertain") if include_uncertain else _("failed")
        _log(messages, _("Queued %(what)s deliveries again.") % {"what": what}, by)
    return count


def mark_sent(deliveries: QuerySet[Delivery], *, by: Any) -> int:
    """Settle uncertain Deliveries as sent, on a person's evidence; return how many."""
    messages = _messages_of(deliveries)
    count = outbox.mark_sent(deliveries)
    if count:
        _log(messages, _("Marked uncertain deliveries as sent."), by)
    return count


def stop_sending(transports: TransportQuerySet, *, reason: str, by: Any) -> None:
    """Hold these lanes until a person releases them; a mail that is being sent is finished."""
    with transaction.atomic():
        transports.hold(FAR, reason=reason, by=by.get_username())
        _log(transports.all(), _("Stopped sending: %(reason)s") % {"reason": reason}, by)


def resume_sending(transports: TransportQuerySet, *, by: Any) -> None:
    """Release these lanes, whoever or whatever held them."""
    with transaction.atomic():
        transports.update(held_until=None, held_by="", reason="", holds_in_a_row=0)
        _log(transports.all(), _("Sending again."), by)


def _messages_of(deliveries: QuerySet[Delivery]) -> QuerySet[Message]:
    pks = set(deliveries.order_by().values_list("message", flat=True).distinct())
    return Message.objects.only("pk", "subject", "kind").filter(pk__in=pks)


def _log(objects: Iterable[Model], text: str, by: Any) -> None:
    LogEntry.objects.log_actions(by.pk, list(objects), CHANGE, text)
