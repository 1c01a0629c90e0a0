"""Maintenance: automatic resends and the erasure of old content."""

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from mail.ledger import transitions
from mail.ledger.states import State
from mail.models import Broadcast, Delivery, Message

PAGE = 5000  # Messages whose content is erased at a time


def requeue_uncertain() -> int:
    """Queue the uncertain Deliveries whose wait is over: once each, with the same Message-ID."""
    due = Delivery.objects.filter(state=State.UNCERTAIN, due_at__lte=Now())
    return transitions.requeue(due.sendable(), afresh=False)


def erase_contents() -> int:
    """Erase the content of Messages whose retention time is over; the record itself stays.

    A Message with a queued or uncertain Delivery is kept. Content that is to be erased once sent
    is kept for a day after failures, so that they can be sent again.
    """
    unfinished = Broadcast.objects.unexpanded().filter(
        message=OuterRef("pk"), message__cancelled_at=None
    )
    over = Message.objects.filter(
        ~Exists(unfinished),
        Q(failed=0) | Q(erase_at__lt=Now() - timedelta(days=1)),
        erase_at__lt=Now(),
        erased_at=None,
        queued=0,
        uncertain=0,
    )
    pks = list(over.order_by("erase_at").values_list("pk", flat=True)[:PAGE])
    return over.filter(pk__among=pks).update(  # filtered again: one may have been resent since
        mime=b"", subject="", text="", html="", erased_at=Now()
    )
