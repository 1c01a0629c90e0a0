"""NoticePeriod: how long before a change takes effect subscribers must be notified."""

from datetime import date, timedelta

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from seller.calendar import today


class NoticePeriod(models.Model):
    """One row per kind of change, created on migration; operators set the days.

    The defaults are those of the FTC's standard terms for internet malls (표준약관 제10023호) art. 3.
    """

    class Change(models.TextChoices):
        ORDINARY = "ordinary", _("ordinary change")
        UNFAVOURABLE = "unfavourable", _("unfavourable change")

    change = models.CharField(_("change"), max_length=20, choices=Change, primary_key=True)
    days = models.PositiveIntegerField(_("days"), validators=[MaxValueValidator(365)])

    class Meta:
        verbose_name = _("notice period")
        verbose_name_plural = _("notice periods")
        ordering = ["days"]

    def __str__(self) -> str:
        return f"{self.Change(self.change).label}: {self.days}"

    @classmethod
    def for_change(cls, *, is_unfavourable: bool) -> "NoticePeriod":
        """The notice period of a change."""
        change = cls.Change.UNFAVOURABLE if is_unfavourable else cls.Change.ORDINARY
        return cls.objects.get(pk=change)

    @property
    def earliest(self) -> date:
        """The first day on which a change announced today may take effect."""
        return today() + timedelta(days=self.days)


SEEDS = {NoticePeriod.Change.ORDINARY: 7, NoticePeriod.Change.UNFAVOURABLE: 30}
