"""How the API reads and shows payments."""

from copy import deepcopy
from functools import cache
from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.reverse import reverse

from mail.models import Delivery
from payment.models import Payment
from seller import validators
from seller.api.fields import OwnRowField
from seller.models import Product


class StrictSerializer(serializers.Serializer[Any]):
    """Rejects unknown fields, so that a misspelt name is an error and is not ignored."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := data.keys() - self.fields.keys()):
            refusal = ErrorDetail("There is no such field.", code="unknown_field")
            raise serializers.ValidationError({str(name): [refusal] for name in unknown})
        return super().to_internal_value(data)


class BuyerSerializer(StrictSerializer):
    address = serializers.CharField(max_length=254, validators=[validators.address])
    name = serializers.CharField(max_length=100, validators=[validators.line])


class OpenPaymentSerializer(StrictSerializer):
    product = OwnRowField(queryset=Product.objects.all())
    buyer = BuyerSerializer()
    amount = serializers.IntegerField(
        min_value=1, help_text="In won, VAT included: the price of the product."
    )
    order_number = serializers.CharField(
        max_length=64,
        required=False,
        validators=[RegexValidator(r"\A[A-Za-z0-9_-]+\Z", "Use letters, digits, _ and -.")],
        help_text="Your order number. Sending it again returns the same payment.",
    )


class ConfirmPaymentSerializer(StrictSerializer):
    payment_key = serializers.CharField(
        max_length=200,
        validators=[RegexValidator(r"\A[!-~]+\Z", "Use printable ASCII.")],
        help_text="The provider's key for this payment, as its payment window returned it.",
    )
    amount = serializers.IntegerField(min_value=1, help_text="The amount shown to the buyer.")


class ReceiptSerializer(serializers.Serializer[Any]):
    message = serializers.URLField()
    state = serializers.ChoiceField(choices=Delivery.State.choices)


class PaymentSerializer(serializers.ModelSerializer[Payment]):
    buyer = serializers.SerializerMethodField()
    receipt = serializers.SerializerMethodField()

    class Meta:
        model = Payment
        fields = (
            "id",
            "order_number",
            "product",
            "buyer",
            "amount",
            "currency",
            "supply_amount",
            "vat_amount",
            "state",
            "provider",
            "payment_key",
            "method",
            "failure_code",
            "failure_reason",
            "subscription",
            "receipt",
            "created_at",
            "approved_at",
            "failed_at",
            "cancelled_at",
        )
        read_only_fields = fields

    def get_fields(self) -> dict[str, Any]:
        """A copy of the fields, which take longer to build than the rest of a response."""
        return deepcopy(self._of_the_model())

    @classmethod
    @cache
    def _of_the_model(cls) -> dict[str, Any]:
        return serializers.ModelSerializer.get_fields(cls())

    @extend_schema_field(BuyerSerializer)
    def get_buyer(self, payment: Payment) -> dict[str, str]:
        return {"address": payment.buyer_address, "name": payment.buyer_name}

    @extend_schema_field(ReceiptSerializer(allow_null=True))
    def get_receipt(self, payment: Payment) -> dict[str, str] | None:
        """The receipt's URL and state. Its counts tell the state, for it has one Delivery."""
        message = payment.receipt
        if message is None:
            return None
        url = reverse("message-detail", args=[message.pk], request=self.context["request"])
        state = next(state for state in Delivery.State if getattr(message, state.value))
        return {"message": url, "state": state.value}
