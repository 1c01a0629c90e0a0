"""What the API reads and shows of payments."""

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
    """Refuses fields that it does not know, so that no typing error passes for agreement."""

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
        help_text="Your number of the order; sending it again opens no second payment.",
    )


class ConfirmPaymentSerializer(StrictSerializer):
    payment_key = serializers.CharField(
        max_length=200,
        validators=[RegexValidator(r"\A[!-~]+\Z", "Use printable ASCII.")],
        help_text="The provider's key of this payment, as its window handed it over.",
    )
    amount = serializers.IntegerField(min_value=1, help_text="The amount the buyer saw.")


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
        """The fields; reading them off the model takes longer than all the rest of an answer."""
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
        """Where the receipt is and how far it got: its one Delivery's state, told by the counts."""
        message = payment.receipt
        if message is None:
            return None
        url = reverse("message-detail", args=[message.pk], request=self.context["request"])
        state = next(state for state in Delivery.State if getattr(message, state.value))
        return {"message": url, "state": state.value}
