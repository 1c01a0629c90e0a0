"""Access: which receipts a user may see and steer in the mail app."""

from typing import Any

from django.db.models import Q

from mail.operations import access
from payment.models import Payment


@access.allow
def receipts(user: Any) -> Q:
    """The Messages that are receipts of payments to the user's sellers."""
    own = Payment.objects.of(user).filter(receipt__isnull=False)
    return Q(pk__in=own.order_by().values("receipt"))
