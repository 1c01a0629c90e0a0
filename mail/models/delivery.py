"""Delivery: one recipient's copy of a Message and its state."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from mail.models.batch import Batch
from mail.models.message import CONTENT, Lane, Message

SENDING = Q(state="queued", batch__claimed_at__isnull=False, batch__closed_at=None)


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def queued(self) -> Self:
        """The Deliveries that wait, in a Batch or not."""
        return self.filter(state=Delivery.State.QUEUED)

    def unbound(self) -> Self:
        """The queued Deliveries that are in no Batch."""
        return self.queued().filter(batch=None)

    def due(self) -> Self:
        """The unbound Deliveries that may leave now, unless their Message is paused."""
        return self.unbound().filter(paused=False, due_at__lte=Now())

    def in_open_batch(self) -> Self:
        """The queued Deliveries in a Batch that is not closed, claimed or not."""
        return self.queued().filter(batch__isnull=False, batch__closed_at=None)

    def sending(self) -> Self:
        """The Deliveries that a worker is sending."""
        return self.filter(SENDING)

    def not_sending(self) -> Self:
        """The Deliveries that no worker is sending."""
        return self.exclude(SENDING)

    def resendable(self, *, include_uncertain: bool = False) -> Self:
        """The failed Deliveries that a resend may queue, and with the flag the uncertain ones.

        Those of a cancelled Message, or of one whose content was erased, are left out.
        """
        states = [Delivery.State.FAILED]
        if include_uncertain:
            states.append(Delivery.State.UNCERTAIN)
        return self.filter(state__in=states).sendable()

    def sendable(self) -> Self:
        """The Deliveries whose Message is not cancelled and still has its content."""
        return self.filter(message__cancelled_at=None, message__erased_at=None)

    def deferring_content(self) -> Self:
        """The Deliveries with their Message, but without its large columns."""
        return self.select_related("message").defer(*(f"message__{name}" for name in CONTENT))


class Delivery(models.Model):
    """The unit that is sent, retried and resent."""

    class State(models.TextChoices):
        """queued → sent, failed, uncertain, cancelled. Other changes need a person or evidence."""

        QUEUED = "queued", _("queued")  # will leave at `due_at`, or is being sent
        SENT = "sent", _("sent")  # the SMTP server replied 250
        FAILED = "failed", _("failed")  # certainly not delivered, and not retried automatically
        UNCERTAIN = "uncertain", _("uncertain")  # the server may have it; nobody can know
        CANCELLED = "cancelled", _("cancelled")  # a person cancelled it before it left

    message = models.ForeignKey(
        Message, on_delete=models.PROTECT, related_name="deliveries", db_index=False
    )
    lane = models.CharField(_("lane"), max_length=15, choices=Lane)
    address = models.CharField(_("address"), max_length=254)
    name = models.CharField(_("name"), max_length=200, db_default="", blank=True)

    state = models.CharField(
        _("state"), max_length=10, choices=State, default=State.QUEUED, db_default=State.QUEUED
    )
    due_at = models.DateTimeField(_("due at"), null=True)
    expires_at = models.DateTimeField(_("given up at"))
    # A Batch is never deleted, so the reference need not be checked for every mail that is bound.
    batch = models.ForeignKey(
        Batch, null=True, on_delete=models.PROTECT, db_index=False, db_constraint=False
    )
    # A copy of the Message's pause, so that the index of what is due holds no paused rows.
    paused = models.BooleanField(db_default=False, default=False, db_column="parked")

    attempts = models.PositiveSmallIntegerField(_("attempts"), db_default=0, default=0)
    uncertainties = models.PositiveSmallIntegerField(db_default=0, default=0)
    crashes = models.PositiveSmallIntegerField(db_default=0, default=0)

    # The final reply.
    settled_at = models.DateTimeField(_("settled at"), null=True)
    code = models.CharField(_("code"), max_length=20, db_default="", blank=True)
    enhanced = models.CharField(_("enhanced code"), max_length=11, db_default="", blank=True)
    reply = models.TextField(_("reply"), db_default="", blank=True)
    host = models.CharField(_("server"), max_length=255, db_default="", blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(name="mail_delivery_once", fields=["message", "address"]),
        ]
        indexes = [
            models.Index(
                name="mail_delivery_due",
                fields=["lane", "due_at", "id"],
                condition=models.Q(state="queued", batch=None, paused=False),
            ),
            models.Index(
                name="mail_delivery_bound",
                fields=["batch"],
                condition=models.Q(state="queued", batch__isnull=False),
            ),
            models.Index(
                name="mail_delivery_parked",
                fields=["message", "id"],
                condition=models.Q(paused=True),
            ),
            models.Index(
                name="mail_delivery_troubled",
                fields=["message", "state", "id"],
                condition=models.Q(state__in=["failed", "uncertain"]),
            ),
            models.Index(
                name="mail_delivery_unsent",
                fields=["state", "id"],
                condition=models.Q(state__in=["failed", "uncertain", "cancelled"]),
            ),
            models.Index(
                name="mail_delivery_lately",
                fields=["state", "settled_at"],
                condition=models.Q(state__in=["failed", "uncertain"]),
            ),
            models.Index(
                name="mail_delivery_unsure_due",
                fields=["due_at"],
                condition=models.Q(state="uncertain", due_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.state}"

    @property
    def message_id_header(self) -> str:
        """The Message-ID this Delivery carries in every attempt."""
        return self.message.message_id_for(self.pk)
