"""Payment: one order and the state of its money."""

from __future__ import annotations

from typing import Self

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from mail.models import Message
from seller import validators
from seller.models import Product, Subscription
from seller.models.product import ProductRowQuerySet


class PaymentQuerySet(ProductRowQuerySet["Payment"]):
    def with_receipt(self) -> Self:
        """The payments together with their receipt, but without its content."""
        content = [f"receipt__{name}" for name in ("mime", "text", "html")]
        return self.select_related("receipt").defer(*content)

    def locked(self) -> Self:
        """The payments under FOR UPDATE, with product and seller. Requires a transaction."""
        return self.with_seller().select_for_update(of=("self",))


class Payment(models.Model):
    """An order, whose data never change once it is opened; its state moves forward only."""

    class State(models.TextChoices):
        """ready → paid → cancelled, and ready → failed."""

        READY = "ready", _("ready")  # opened; no money was captured
        PAID = "paid", _("paid")  # approved by the provider; the receipt is recorded
        CANCELLED = "cancelled", _("cancelled")  # refunded by the provider
        FAILED = "failed", _("failed")  # declined by the provider; the buyer may open another

    order_number = models.CharField(
        _("order number"),
        max_length=64,
        unique=True,
        validators=[RegexValidator(r"\A[A-Za-z0-9_-]+\Z", _("Use letters, digits, _ and -."))],
    )
    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, related_name="payments", verbose_name=_("product")
    )
    buyer_address = models.CharField(
        _("buyer's address"), max_length=254, validators=[validators.address]
    )
    buyer_name = models.CharField(_("buyer's name"), max_length=100, validators=[validators.line])
    amount = models.PositiveIntegerField(
        _("amount"), validators=[MinValueValidator(1)], help_text=_("In won, VAT included.")
    )
    currency = models.CharField(_("currency"), max_length=3, default="KRW")
    supply_amount = models.PositiveIntegerField(_("supply value"))
    vat_amount = models.PositiveIntegerField("VAT")

    state = models.CharField(_("state"), max_length=10, choices=State, default=State.READY)
    provider = models.CharField(_("payment provider"), max_length=40)
    payment_key = models.CharField(_("payment key"), max_length=200, blank=True)
    method = models.CharField(_("payment method"), max_length=200, blank=True)
    failure_code = models.CharField(_("failure code"), max_length=100, blank=True)
    failure_reason = models.CharField(_("failure reason"), max_length=500, blank=True)

    subscription = models.ForeignKey(
        Subscription,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="payments",
        verbose_name=_("subscription"),
    )
    receipt = models.OneToOneField(
        Message,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="payment",
        verbose_name=_("receipt"),
    )

    created_at = models.DateTimeField(_("opened at"), db_default=Now())
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True)
    failed_at = models.DateTimeField(_("failed at"), null=True, blank=True)
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True, blank=True)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(name="payment_amount", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="payment_vat",
                condition=Q(amount=models.F("supply_amount") + models.F("vat_amount")),
            ),
            models.CheckConstraint(
                name="payment_approved",
                condition=Q(state__in=["ready", "failed"])
                | Q(approved_at__isnull=False) & ~Q(payment_key=""),
            ),
            models.UniqueConstraint(
                name="payment_key_once",
                fields=["provider", "payment_key"],
                condition=~Q(payment_key=""),
            ),
        ]
        indexes = [models.Index(name="payment_by_state", fields=["state", "-id"])]

    def __str__(self) -> str:
        return self.order_number
