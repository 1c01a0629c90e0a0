"""Delivery: one recipient's copy of a Message and its state."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from mail.models.batch import Batch
from mail.models.message import Lane, Message


class Delivery(models.Model):
    """The unit that is sent, retried and resent."""

    class State(models.TextChoices):
        """queued → sent, failed, uncertain, cancelled. The other arrows need a person or evidence."""

        QUEUED = "queued", _("queued")  # will leave at `due_at`, or is in a worker's hands
        SENT = "sent", _("sent")  # the SMTP server answered 250
        FAILED = "failed", _("failed")  # certainly not delivered, and not tried again by itself
        UNCERTAIN = "uncertain", _("uncertain")  # the server may have it; nobody can know
        CANCELLED = "cancelled", _("cancelled")  # a person stopped it before it left

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
    # A Batch is never deleted; the database need not look for it at each mail that is bound.
    batch = models.ForeignKey(
        Batch, null=True, on_delete=models.PROTECT, db_index=False, db_constraint=False
    )
    parked = models.BooleanField(db_default=False, default=False)

    attempts = models.PositiveSmallIntegerField(_("attempts"), db_default=0, default=0)
    uncertainties = models.PositiveSmallIntegerField(db_default=0, default=0)
    crashes = models.PositiveSmallIntegerField(db_default=0, default=0)

    # The final reply.
    settled_at = models.DateTimeField(_("settled at"), null=True)
    code = models.CharField(_("code"), max_length=20, db_default="", blank=True)
    enhanced = models.CharField(_("enhanced code"), max_length=11, db_default="", blank=True)
    reply = models.TextField(_("reply"), db_default="", blank=True)
    host = models.CharField(_("server"), max_length=255, db_default="", blank=True)

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
                condition=models.Q(state="queued", batch=None, parked=False),
            ),
            models.Index(
                name="mail_delivery_bound",
                fields=["batch"],
                condition=models.Q(state="queued", batch__isnull=False),
            ),
            models.Index(
                name="mail_delivery_parked",
                fields=["message", "id"],
                condition=models.Q(parked=True),
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
