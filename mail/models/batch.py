"""Batch: due Deliveries of one lane, bound together for one Celery task."""

from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from mail.conf import settings
from mail.models.message import Lane
from mail.models.transport import Transport


class BatchQuerySet(models.QuerySet["Batch"]):
    def open(self) -> Self:
        """The Batches that are not settled."""
        return self.filter(closed_at=None)

    def unclaimed(self) -> Self:
        """The open Batches that wait for a worker."""
        return self.open().filter(token=None)

    def claimable(self, batch_id: int, token: UUID) -> Self:
        """The Batch, if it may be claimed now, or was claimed with this token already."""
        return self.open().filter(~_is_held() & Q(token=None) | Q(token=token), pk=batch_id)

    def owned_by(self, batch_id: int, token: UUID) -> Self:
        """The Batch, if it is open and the claim with this token owns it; else none."""
        return self.open().filter(pk=batch_id, token=token)

    def unpublished(self) -> Self:
        """The Batches whose id was never published, or so long ago that it may be lost."""
        lost = Q(published_at__lt=Now() - settings.MAIL_REPUBLISH_AFTER)
        return self.filter(Q(published_at=None) | lost)

    def held(self) -> Self:
        """The Batches whose transport is held."""
        return self.filter(_is_held())

    def not_held(self) -> Self:
        """The Batches whose transport may send."""
        return self.filter(~_is_held())


def _is_held() -> Exists:
    return Exists(Transport.objects.held().filter(lane=OuterRef("lane")))


class Batch(models.Model):
    """The unit of dispatch and claim, never reused: a Delivery queued again gets another one.

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

    begun = models.BooleanField(_("end of data due"), default=False)
    through_id = models.BigIntegerField(_("settled through"), default=0)
    flags_changed = models.BooleanField(default=False, db_column="recalled")

    closed_at = models.DateTimeField(_("closed at"), null=True)
    rescued = models.BooleanField(_("rescued"), default=False)

    objects = BatchQuerySet.as_manager()

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
