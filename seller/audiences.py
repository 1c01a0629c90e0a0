"""Audiences: who is told of what a seller does."""

from datetime import datetime

from django.db.models import QuerySet

from mail import audiences
from seller.models import Subscription, Terms


@audiences.declare("seller.subscribers")
def subscribers(*, moment: datetime, terms: int) -> QuerySet[Subscription]:
    """The subscriptions, active at a moment, to the product of a version of terms."""
    product = Terms.objects.filter(pk=terms).order_by().values("product_id")[:1]
    return Subscription.objects.filter(product_id=product).active_at(moment).order_by("pk")
