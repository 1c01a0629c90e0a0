"""Subscription: one person's contract for a product."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from django.db import IntegrityError, models, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from mail.content.addresses import normalise
from seller import validators
from seller.models.product import Product, ProductRowQuerySet
from seller.models.terms import Terms


class SubscriptionQuerySet(ProductRowQuerySet["Subscription"]):
    def active(self) -> Self:
        """The subscriptions that have not ended."""
        return self.filter(ended_at=None)

    def active_at(self, moment: datetime) -> Self:
        """The subscriptions that had begun and not ended at a moment."""
        return self.filter(
            models.Q(ended_at=None) | models.Q(ended_at__gte=moment), started_at__lte=moment
        )

    def start_once(self, candidate: Subscription) -> Subscription:
        """Insert a new subscription, or return the active one of its product and address.

        The unique constraint decides a race: whoever comes second waits for the first to commit.
        """
        same = self.filter(product=candidate.product, address=candidate.address)
        while True:
            try:
                with transaction.atomic(using=self.db):
                    candidate.save(force_insert=True, using=self.db)
            except IntegrityError:
                if not same.exists():
                    raise
                if (active := same.active().first()) is not None:  # else it has just ended
                    return active
            else:
                return candidate


class Subscription(models.Model):
    """Who subscribed, under which terms. It is ended, never deleted.

    Its times come from the clock of the database, read under the lock on the product, so they can
    be compared with the moment of a broadcast whatever the clocks of the web processes say.
    """

    product = models.ForeignKey(
        Product,
        on_delete=models.PROTECT,
        related_name="subscriptions",
        db_index=False,
        verbose_name=_("product"),
    )
    address = models.CharField(_("address"), max_length=254, validators=[validators.address])
    name = models.CharField(_("name"), max_length=100, validators=[validators.line])
    started_at = models.DateTimeField(_("started at"), db_default=Now())
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    agreed_terms = models.ForeignKey(
        Terms,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("agreed terms"),
    )
    shown_terms = models.ForeignKey(
        Terms,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("announced terms"),
        help_text=_("The latest version that was published but not yet in force."),
    )

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                name="seller_subscription_once",
                fields=["address", "product"],
                condition=models.Q(ended_at=None),
            ),
        ]
        indexes = [models.Index(name="seller_subscription_page", fields=["product", "id"])]

    def __str__(self) -> str:
        return f"{self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save with a normalised address. Raises InvalidAddress."""
        self.address = normalise(self.address)
        super().save(*args, **kwargs)

    @property
    def is_active(self) -> bool:
        return self.ended_at is None
