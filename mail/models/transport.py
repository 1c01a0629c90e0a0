"""Transport: whether a lane may send now, and how fast it has been."""

from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from mail.models.message import Lane


class TransportQuerySet(models.QuerySet["Transport"]):
    def held(self) -> Self:
        """The transports that may not send now."""
        return self.filter(held_until__gt=Now())

    def not_held(self) -> Self:
        """The transports that may send."""
        return self.filter(Q(held_until=None) | Q(held_until__lte=Now()))

    def hold(
        self, until: datetime | Combinable, *, reason: str, by: str = "", **columns: Any
    ) -> int:
        """Hold the transports until a moment; return how many.

        `by` names the person who stopped them, `columns` what else changes with it.
        """
        return self.update(held_until=until, held_by=by, reason=reason, **columns)


class Transport(models.Model):
    """One row per lane, created by `migrate`, never added or deleted by hand.

    Trouble with the server and an operator's "stop sending" set the same field, `held_until`.
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

    objects = TransportQuerySet.as_manager()

    class Meta:
        verbose_name = _("transport")
        verbose_name_plural = _("transports")
        ordering = ["-lane"]

    def __str__(self) -> str:
        return str(Lane(self.lane).label)
