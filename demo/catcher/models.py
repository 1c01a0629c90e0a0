"""CapturedMail: a mail that was caught. FaultRules: whether addresses cause faults."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class CapturedMail(models.Model):
    """One mail as received by one envelope recipient."""

    received_at = models.DateTimeField(_("received at"), db_default=Now())
    sender = models.CharField(_("envelope sender"), max_length=320, blank=True)
    recipient = models.CharField(_("recipient"), max_length=320, db_index=True)
    subject = models.TextField(_("subject"), blank=True)
    size = models.PositiveIntegerField(_("size"))
    raw = models.BinaryField(_("source"))

    class Meta:
        verbose_name = _("caught mail")
        verbose_name_plural = _("inbox")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.subject or "—"


class FaultRules(models.Model):
    """A single row: whether the rules of `demo.catcher.faults` are followed."""

    followed = models.BooleanField(default=True)

    def __str__(self) -> str:
        return "on" if self.followed else "off"

    @classmethod
    def are_followed(cls) -> bool:
        return not cls.objects.filter(followed=False).exists()

    @classmethod
    def follow(cls, followed: bool) -> None:
        """Switch the fault rules on or off."""
        cls.objects.update_or_create(pk=1, defaults={"followed": followed})
