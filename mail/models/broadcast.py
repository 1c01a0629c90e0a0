"""Broadcast: how far the recipients of a Message have been turned into Deliveries."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from mail.models.message import Message


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
