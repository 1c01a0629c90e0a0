"""Seller: who sells, and which users act for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from seller import validators

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser, AnonymousUser


class SellerQuerySet(models.QuerySet["Seller"]):
    def of(self, user: AbstractUser | AnonymousUser) -> Self:
        """The sellers that a user acts for; a superuser acts for all."""
        if user.is_superuser:
            return self
        return self.filter(staff=user.pk) if user.is_authenticated else self.none()


class Seller(models.Model):
    """A seller, with the identity that receipts and notices must show (E-commerce Act art. 13)."""

    name = models.CharField(_("name"), max_length=100, validators=[validators.line])
    representative = models.CharField(
        _("representative"), max_length=100, validators=[validators.line]
    )
    business_number = models.CharField(
        _("business registration number"),
        max_length=12,
        unique=True,
        validators=[RegexValidator(r"\A\d{3}-\d{2}-\d{5}\Z", _("Use the format 000-00-00000."))],
    )
    phone = models.CharField(_("phone"), max_length=30, validators=[validators.line])
    email = models.CharField(_("e-mail"), max_length=254, validators=[validators.address])
    address = models.CharField(_("address"), max_length=200, validators=[validators.line])
    staff = models.ManyToManyField(
        settings.AUTH_USER_MODEL, verbose_name=_("staff"), related_name="sellers", blank=True
    )

    objects = SellerQuerySet.as_manager()

    class Meta:
        verbose_name = _("seller")
        verbose_name_plural = _("sellers")
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name
