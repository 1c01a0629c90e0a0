"""Broadcast: how many of the recipients of a Message have become Deliveries."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from mail.models.message import CONTENT, Message


class BroadcastQuerySet(models.QuerySet["Broadcast"]):
    def unexpanded(self) -> Self:
        """The broadcasts that have recipients left to record."""
        return self.filter(expanded_at=None)

    def free(self) -> Self:
        """The broadcasts that no worker is expanding: none ever did, or its lease ran out."""
        return self.filter(Q(lease_until=None) | Q(lease_until__lt=Now()))

    def deferring_content(self) -> Self:
        """The broadcasts with their Message, but without its large columns."""
        return self.select_related("message").defer(*(f"message__{name}" for name in CONTENT))


class Broadcast(models.Model):
    """A Message to the recipients that a named query yielded at one moment."""

    message = models.OneToOneField(
        Message, on_delete=models.CASCADE, primary_key=True, related_name="broadcast"
    )
    audience = models.CharField(_("audience"), max_length=100)
    params = models.JSONField(_("parameters"), default=dict)
    moment = models.DateTimeField(_("moment of sending"), db_default=Now())
    cursor = models.BigIntegerField(_("last recipient read"), default=0)
    published_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    expanded_at = models.DateTimeField(_("all recipients known at"), null=True)

    objects = BroadcastQuerySet.as_manager()

    class Meta:
        verbose_name = _("broadcast")
        verbose_name_plural = _("broadcasts")
        indexes = [
            models.Index(
                name="mail_broadcast_open",
                fields=["message"],
                condition=models.Q(expanded_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.audience} {self.params}"
