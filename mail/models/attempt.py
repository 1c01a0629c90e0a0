"""Attempt: one attempt at a Delivery that did not end in `sent`."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from mail.models.batch import Batch
from mail.models.delivery import Delivery


class Attempt(models.Model):
    """The outcome, the phase of the SMTP dialogue, and the server's reply."""

    class Outcome(models.TextChoices):
        DEFERRED = "deferred", _("deferred")
        FAILED = "failed", _("failed")
        UNCERTAIN = "uncertain", _("uncertain")

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="tries")
    batch = models.ForeignKey(Batch, null=True, on_delete=models.PROTECT, db_index=False)
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome)
    scope = models.CharField(_("scope"), max_length=10, blank=True)
    phase = models.CharField(_("phase"), max_length=10, blank=True)
    code = models.CharField(_("code"), max_length=20, blank=True)
    enhanced = models.CharField(_("enhanced code"), max_length=11, blank=True)
    reply = models.TextField(_("reply"), blank=True)
    host = models.CharField(_("server"), max_length=255, blank=True)
    ended_at = models.DateTimeField(_("ended at"), db_default=Now())

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.outcome} {self.code}".strip()
