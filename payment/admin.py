"""Payments and webhook events in the admin, read-only."""

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mail.admin.columns import NOTHING, link_to_message_page
from mail.admin.history import HistoryAdmin
from payment.models import Payment, WebhookEvent
from seller import money
from seller.admin.ownership import OwnRowsAdmin


@admin.register(Payment)
class PaymentAdmin(HistoryAdmin, OwnRowsAdmin):
    list_display = ("order_number", "seller", "product", "won", "state", "approved_at")
    list_filter = ("state",)
    list_select_related = ("product__seller",)
    search_fields = ("order_number__startswith",)
    search_help_text = _("The beginning of an order number.")
    ordering = ("-pk",)
    fieldsets = (
        (None, {"fields": ("order_number", "state", "product", "buyer_name", "buyer_address")}),
        (_("money"), {"fields": ("won", "supply_amount", "vat_amount", "currency", "method")}),
        (_("provider"), {"fields": ("provider", "payment_key", "failure_code", "failure_reason")}),
        (_("result"), {"fields": ("subscription", "receipt_mail")}),
        (_("times"), {"fields": ("created_at", "approved_at", "failed_at", "cancelled_at")}),
    )

    @admin.display(description=_("seller"), ordering="product__seller__name")
    def seller(self, payment: Payment) -> str:
        return payment.product.seller.name

    @admin.display(description=_("amount"), ordering="amount")
    def won(self, payment: Payment) -> str:
        return money.won(payment.amount)

    @admin.display(description=_("receipt"))
    def receipt_mail(self, payment: Payment) -> SafeString | str:
        """A link to the receipt, where it can be seen and sent again."""
        if payment.receipt_id is None:
            return NOTHING
        label = gettext("Show the mail, or send it again")
        return link_to_message_page(payment.receipt_id, label)


@admin.register(WebhookEvent)
class WebhookEventAdmin(HistoryAdmin, OwnRowsAdmin):
    list_display = ("event_id", "provider", "type", "outcome", "detail", "received_at")
    list_filter = ("outcome", "provider", "type")
    search_fields = ("event_id__startswith",)
    search_help_text = _("The beginning of an event's id.")
    ordering = ("-pk",)
