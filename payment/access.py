"""Access: whose receipts a person may see in the mail app."""

from typing import Any

from django.db.models import Q

from mail.operations import access
from payment.models import Payment


@access.allow
def receipts(user: Any) -> Q:
    """The receipts of the payments that are a user's business."""
    own = Payment.objects.of(user).filter(receipt__isnull=False)
    return Q(pk__in=own.order_by().values("receipt"))
