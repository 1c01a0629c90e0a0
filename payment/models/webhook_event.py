"""WebhookEvent: an event received from a payment provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from payment.models.payment import Payment

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser, AnonymousUser


class WebhookEventQuerySet(models.QuerySet["WebhookEvent"]):
    def of(self, user: AbstractUser | AnonymousUser) -> Self:
        """The events of payments to the user's sellers; superusers see all of them."""
        if user.is_superuser:
            return self
        return self.filter(payment__in=Payment.objects.of(user))


class WebhookEvent(models.Model):
    """A verified event. It commits together with its effect, so a replay changes nothing."""

    class Outcome(models.TextChoices):
        PROCESSED = "processed", _("processed")  # the payment is in that state, or beyond
        IGNORED = "ignored", _("ignored")  # of a type that has no effect
        QUARANTINED = "quarantined", _("quarantined")  # contradicts the payment; a person decides

    provider = models.CharField(_("payment provider"), max_length=40)
    event_id = models.CharField(_("event"), max_length=255)
    type = models.CharField(_("type"), max_length=200, blank=True)
    outcome = models.CharField(_("outcome"), max_length=12, choices=Outcome)
    detail = models.CharField(_("detail"), max_length=200, blank=True)
    payment = models.ForeignKey(
        Payment,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="events",
        verbose_name=_("payment"),
    )
    received_at = models.DateTimeField(_("received at"), db_default=Now())
    processed_at = models.DateTimeField(_("processed at"), null=True, blank=True)

    objects = WebhookEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook event")
        verbose_name_plural = _("webhook events")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(name="payment_event_once", fields=["provider", "event_id"])
        ]
        indexes = [models.Index(name="payment_event_outcome", fields=["outcome", "-id"])]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"
