"""Terms: one version of the terms that a product is sold under."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any, Self

from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import models, transaction
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from mail.models import Message
from seller import validators
from seller.calendar import today
from seller.models.product import Product, ProductRowQuerySet


class Immutable(ValueError):
    """A published version is a record: it cannot be changed or deleted."""


class TermsQuerySet(ProductRowQuerySet["Terms"]):
    def drafts(self) -> Self:
        """The versions that are not published."""
        return self.filter(published_at=None)

    def published(self) -> Self:
        """The published versions."""
        return self.filter(published_at__isnull=False)

    def in_force(self, on: date | None = None) -> Self:
        """The version of each product that is in force on a day, by default today."""
        on = on or today()
        later = Terms.objects.published().filter(
            product=models.OuterRef("product"),
            version__gt=models.OuterRef("version"),
            effective_on__lte=on,
        )
        return self.published().filter(~models.Exists(later), effective_on__lte=on)

    def upcoming(self, on: date | None = None) -> Self:
        """The published versions that are not yet in force on a day, by default today."""
        return self.published().filter(effective_on__gt=on or today())

    def agreed_and_shown(self) -> tuple[int | None, int | None]:
        """Of one product, the keys of the version in force today and of the latest upcoming one."""
        newest, now = self.published().order_by("-version"), today()
        dates = list(newest.values_list("pk", "effective_on"))
        coming = [pk for pk, effective_on in dates if effective_on > now]
        begun = [pk for pk, effective_on in dates if effective_on <= now]
        return next(iter(begun), None), next(iter(coming), None)

    def announced(self) -> Self:
        """The versions that subscribers were sent a notice of."""
        return self.filter(message__isnull=False)

    def being_announced(self) -> Self:
        """The versions whose notice is still being sent, and was not cancelled."""
        unfinished = models.Q(message__broadcast__expanded_at=None) | models.Q(
            message__queued__gt=0
        )
        return self.announced().filter(unfinished, message__cancelled_at=None)

    def with_message(self) -> Self:
        """The versions together with their notice, its content left out."""
        content = [f"message__{name}" for name in ("mime", "text", "html")]
        return self.select_related("message").defer(*content)

    def lock(self, pk: int) -> Terms:
        """The version under FOR UPDATE, with product and seller. Raises Terms.DoesNotExist."""
        return self.with_seller().select_for_update(of=("self",)).get(pk=pk)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete drafts; raises Immutable if one of the versions was published."""
        if self.published().exists():
            raise Immutable(_("A published version cannot be deleted."))
        return super().delete()


class Terms(models.Model):
    """A draft until it is published, then immutable, which a database trigger enforces.

    Being in force is not stored: it is the latest published version whose date has come.
    """

    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, related_name="terms", verbose_name=_("product")
    )
    version = models.PositiveIntegerField(_("version"), editable=False)
    title = models.CharField(_("title"), max_length=200, validators=[validators.line])
    body = models.TextField(_("body"), validators=[validators.text, MaxLengthValidator(100_000)])
    sha256 = models.CharField("SHA-256", max_length=64, editable=False)
    reason = models.TextField(
        _("reason for the change"),
        blank=True,
        validators=[validators.text, MaxLengthValidator(2_000)],
    )
    effective_on = models.DateField(_("effective on"))
    is_unfavourable = models.BooleanField(_("unfavourable to consumers"), default=False)

    published_at = models.DateTimeField(_("published at"), null=True, editable=False)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("published by"),
    )
    override_reason = models.TextField(
        _("reason for the shorter notice"),
        blank=True,
        editable=False,
        validators=[validators.text, MaxLengthValidator(2_000)],
    )
    message = models.ForeignKey(
        Message,
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="terms",
        verbose_name=_("message"),
    )

    objects = TermsQuerySet.as_manager()

    class Meta:
        verbose_name = _("terms")
        verbose_name_plural = _("terms")
        ordering = ["product_id", "version"]
        permissions = [("override_notice_period", "Can publish terms with a shorter notice")]
        constraints = [
            models.UniqueConstraint(name="seller_terms_version", fields=["product", "version"]),
            models.CheckConstraint(
                name="seller_terms_published",
                condition=models.Q(published_at=None, message=None)
                | models.Q(published_at__isnull=False) & ~models.Q(sha256=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} v{self.version}"

    @transaction.atomic
    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save a draft with its digest; a new one gets the product's next version number.

        Raises Immutable for a version that was published.
        """
        self._refuse_if_published()
        if self._state.adding and not self.version:
            last = self.product.terms.aggregate(last=models.Max("version"))["last"]
            self.version = (last or 0) + 1
        self.body = self.body.replace("\r\n", "\n")  # browsers send CRLF
        self.sha256 = hashlib.sha256(self.body.encode()).hexdigest()
        super().save(*args, **kwargs)

    @transaction.atomic
    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete a draft; raises Immutable for a version that was published."""
        self._refuse_if_published()
        return super().delete(*args, **kwargs)

    @property
    def is_published(self) -> bool:
        return self.published_at is not None

    @cached_property
    def previous(self) -> Terms | None:
        """The latest published version before this one."""
        return self.product.terms.published().filter(version__lt=self.version).last()

    def _refuse_if_published(self) -> None:
        """Check the locked row, because this object may be stale."""
        if self._state.adding:
            return
        if (
            Terms.objects.filter(pk=self.pk)
            .select_for_update()
            .values_list("published_at", flat=True)
            .first()
        ):
            raise Immutable(_("A published version cannot be changed."))
