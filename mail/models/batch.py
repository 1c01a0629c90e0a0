"""Batch: due Deliveries of one lane, bound together for one Celery task."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from mail.models.message import Lane


class Batch(models.Model):
    """The unit of dispatch and claim. Never reused: a Delivery that goes on gets another Batch.

    While it is claimed, `token` names its one owner and `through_id` is the durable cursor: every
    Delivery of the Batch up to that id is settled, and the open ones among them were accepted.
    """

    lane = models.CharField(_("lane"), max_length=15, choices=Lane)
    size = models.PositiveIntegerField(_("deliveries"))
    created_at = models.DateTimeField(_("bound at"), db_default=Now())
    published_at = models.DateTimeField(_("published at"), null=True)

    token = models.UUIDField(null=True)
    worker = models.CharField(_("worker"), max_length=255, blank=True)
    claimed_at = models.DateTimeField(_("claimed at"), null=True)
    lease_until = models.DateTimeField(_("lease until"), null=True)
    server_started = models.CharField(max_length=64, blank=True)

    begun = models.BooleanField(_("a terminating dot was due"), default=False)
    through_id = models.BigIntegerField(_("settled through"), default=0)
    recalled = models.BooleanField(default=False)

    closed_at = models.DateTimeField(_("closed at"), null=True)
    rescued = models.BooleanField(_("rescued"), default=False)

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        ordering = ["-pk"]
        indexes = [
            models.Index(
                name="mail_batch_open", fields=["lane", "id"], condition=models.Q(closed_at=None)
            )
        ]

    def __str__(self) -> str:
        return f"{self.pk} ({self.size})"
