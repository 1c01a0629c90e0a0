"""Transport: whether a lane may send just now, and how fast it has been."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from mail.models.message import Lane


class Transport(models.Model):
    """One row per lane; there from the first migration on, never added or deleted by hand.

    The breaker (trouble with the server) and an operator's "stop sending" are the same field.
    """

    lane = models.CharField(_("lane"), max_length=15, choices=Lane, primary_key=True)
    held_until = models.DateTimeField(_("held until"), null=True, blank=True)
    held_by = models.CharField(_("held by"), max_length=150, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    holds_in_a_row = models.PositiveIntegerField(default=0)

    ms_per_mail = models.FloatField(_("milliseconds per mail"), default=20)
    next_slot_at = models.DateTimeField(null=True)
    day = models.DateField(null=True)
    day_count = models.PositiveIntegerField(_("sent today"), default=0)

    class Meta:
        verbose_name = _("transport")
        verbose_name_plural = _("transports")
        ordering = ["-lane"]

    def __str__(self) -> str:
        return str(Lane(self.lane).label)
