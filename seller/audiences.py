"""Audiences: who receives the notices of a seller."""

from datetime import datetime

from django.db.models import QuerySet

from mail import audiences
from seller.models import Subscription, Terms


@audiences.declare("seller.subscribers")
def subscribers(*, moment: datetime, terms: int) -> QuerySet[Subscription]:
    """The subscriptions to the product of a version of terms that were active at a moment."""
    product = Terms.objects.filter(pk=terms).order_by().values("product_id")[:1]
    return Subscription.objects.filter(product_id=product).active_at(moment).order_by("pk")
