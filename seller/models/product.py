"""Product: what people subscribe to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeVar

from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator
from django.db import connections, models
from django.utils.translation import gettext_lazy as _

from seller import validators
from seller.models.seller import Seller

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser, AnonymousUser

RowT = TypeVar("RowT", bound=models.Model)


class ProductQuerySet(models.QuerySet["Product"]):
    """Its two locks put subscribing and publishing in order; each requires a transaction.

    A subscription that is made during a publication either commits before it, and is notified, or
    waits for it, and is shown the change. Subscriptions never wait for each other.
    """

    def of(self, user: AbstractUser | AnonymousUser) -> Self:
        """The products of the sellers that a user acts for."""
        return self.filter(seller__in=Seller.objects.of(user))

    def lock_for_publishing(self, pk: int) -> Product:
        """The product under FOR UPDATE. Raises Product.DoesNotExist."""
        return self.select_for_update(of=("self",)).get(pk=pk)

    def lock_for_subscribing(self, pk: int) -> None:
        """Lock the product FOR SHARE.

        Django has no FOR SHARE. SQLite needs none: IMMEDIATE transactions run one by one.
        """
        if connections[self.db].vendor == "postgresql":
            query = 'SELECT id FROM "seller_product" WHERE id = %s FOR SHARE'
            with connections[self.db].cursor() as cursor:
                cursor.execute(query, [pk])


class ProductRowQuerySet(models.QuerySet[RowT]):
    """For a model with a `product`, whose rows belong to the seller of that product."""

    def of(self, user: AbstractUser | AnonymousUser) -> Self:
        """The rows of the sellers that a user acts for."""
        return self.filter(product__seller__in=Seller.objects.of(user))

    def with_seller(self) -> Self:
        """The rows together with product and seller."""
        return self.select_related("product__seller")


class Product(models.Model):
    """A subscription that a seller offers, at a price per period."""

    seller = models.ForeignKey(
        Seller, on_delete=models.PROTECT, related_name="products", verbose_name=_("seller")
    )
    name = models.CharField(_("name"), max_length=100, validators=[validators.line])
    description = models.TextField(
        _("description"), blank=True, validators=[validators.text, MaxLengthValidator(5_000)]
    )
    price = models.PositiveIntegerField(
        _("price"),
        validators=[MinValueValidator(1), MaxValueValidator(100_000_000)],
        help_text=_("Won per period, VAT included."),
    )
    period_days = models.PositiveIntegerField(
        _("period in days"),
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(3_660)],
    )
    is_active = models.BooleanField(_("on sale"), default=True)

    objects = ProductQuerySet.as_manager()

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["seller__name", "name", "pk"]
        constraints = [
            models.CheckConstraint(name="seller_product_price", condition=models.Q(price__gt=0)),
            models.CheckConstraint(
                name="seller_product_period", condition=models.Q(period_days__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return self.name
