"""Steering: what a person does to Messages and Deliveries, with a note of who did it.

The notes are Django's LogEntry rows, so the admin shows them as the history of the Message.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from mail import outbox
from mail.models import Delivery, Message


def pause(message: Message, *, by: Any) -> None:
    """Pause a Message, unless it is paused or cancelled already."""
    if not message.is_stopped:
        with transaction.atomic():
            outbox.pause(message)
            _note([message], _("Paused."), by)


def resume(message: Message, *, by: Any) -> None:
    """Resume a paused Message. Raises NotResumable when it was cancelled."""
    with transaction.atomic():
        if message.paused_at is not None or message.cancelled_at is not None:
            outbox.resume(message)
            _note([message], _("Resumed."), by)


def cancel(message: Message, *, by: Any) -> None:
    """Cancel a Message, unless it is cancelled already."""
    if message.cancelled_at is None:
        with transaction.atomic():
            outbox.cancel(message)
            _note([message], _("Cancelled."), by)


def resend(deliveries: QuerySet[Delivery], *, by: Any, include_uncertain: bool = False) -> int:
    """Queue failed Deliveries again, and uncertain ones when asked; return how many."""
    messages = _messages_of(deliveries)
    count = outbox.resend(deliveries, include_uncertain=include_uncertain)
    if count:
        what = _("failed and uncertain") if include_uncertain else _("failed")
        _note(messages, _("Queued %(what)s deliveries again.") % {"what": what}, by)
    return count


def mark_sent(deliveries: QuerySet[Delivery], *, by: Any) -> int:
    """Settle uncertain Deliveries as sent, on the evidence that a person has; return how many."""
    messages = _messages_of(deliveries)
    count = outbox.mark_sent(deliveries)
    if count:
        _note(messages, _("Marked uncertain deliveries as sent."), by)
    return count


def _messages_of(deliveries: QuerySet[Delivery]) -> list[Message]:
    pks = set(deliveries.order_by().values_list("message", flat=True).distinct())
    return list(Message.objects.only("pk", "subject", "kind").filter(pk__in=pks))


def _note(messages: Iterable[Message], text: str, by: Any) -> None:
    LogEntry.objects.log_actions(by.pk, list(messages), CHANGE, text)
