"""Payments and webhook events in the admin: history, so it is read and never written."""

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from payment.models import Payment, WebhookEvent


class HistoryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # Django has it in its stubs only
    """Shows rows to those who may view them."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Payment)
class PaymentAdmin(HistoryAdmin):
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

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        return Payment.objects.of(request.user)

    @admin.display(description=_("seller"), ordering="product__seller__name")
    def seller(self, payment: Payment) -> str:
        return payment.product.seller.name

    @admin.display(description=_("amount"), ordering="amount")
    def won(self, payment: Payment) -> str:
        return f"₩{payment.amount:,}"

    @admin.display(description=_("receipt"), empty_value="-")
    def receipt_mail(self, payment: Payment) -> str | None:
        """The way to the receipt, where it can be seen and sent again."""
        if payment.receipt_id is None:
            return None
        url = reverse("admin:mail_message_change", args=[payment.receipt_id])
        return format_html('<a href="{}">{}</a>', url, _("Show the mail, or send it again"))


@admin.register(WebhookEvent)
class WebhookEventAdmin(HistoryAdmin):
    list_display = ("event_id", "provider", "type", "outcome", "detail", "received_at")
    list_filter = ("outcome", "provider", "type")
    search_fields = ("event_id__startswith",)
    search_help_text = _("The beginning of an event's id.")
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEvent]:
        """Those of the user's payments; an event of no known payment is the operator's affair."""
        if request.user.is_superuser:
            return WebhookEvent.objects.all()
        return WebhookEvent.objects.filter(payment__in=Payment.objects.of(request.user))
