"""CapturedMail: a mail that the catcher took. FaultRules: whether addresses make it fail."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class CapturedMail(models.Model):
    """One mail as one envelope recipient got it."""

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
    """The one row that says whether the fault rules of `demo.catcher.faults` are followed."""

    followed = models.BooleanField(default=True)

    def __str__(self) -> str:
        return "on" if self.followed else "off"

    @classmethod
    def are_followed(cls) -> bool:
        return not cls.objects.filter(followed=False).exists()

    @classmethod
    def follow(cls, followed: bool) -> None:
        """Switch the fault rules on or off, for mails from now on."""
        cls.objects.update_or_create(pk=1, defaults={"followed": followed})
