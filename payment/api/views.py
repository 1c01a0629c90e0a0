"""Payments over HTTP, for the systems of sellers."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from payment import gateways, services
from payment.api.serializers import (
    ConfirmPaymentSerializer,
    OpenPaymentSerializer,
    PaymentSerializer,
)
from payment.models import Payment


class PaymentViewSet(mixins.RetrieveModelMixin, viewsets.GenericViewSet[Payment]):
    """The payments of the user's sellers; any other is not found."""

    serializer_class = PaymentSerializer
    queryset = Payment.objects.none()
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[Payment]:
        payments = Payment.objects.of(self.request.user)
        return payments if self.action == "confirm" else payments.with_receipt()

    @extend_schema(
        request=OpenPaymentSerializer, responses={201: PaymentSerializer, 200: PaymentSerializer}
    )
    def create(self, request: Request) -> Response:
        """Open a payment: 201, or 200 if this order number already has one."""
        order = self._read(OpenPaymentSerializer)
        payment, is_new = services.open_payment(
            product=order["product"],
            buyer_address=order["buyer"]["address"],
            buyer_name=order["buyer"]["name"],
            amount=order["amount"],
            order_number=order.get("order_number"),
        )
        location = reverse("payment-detail", args=[payment.pk], request=request)
        return self._show(payment, status=201 if is_new else 200, headers={"Location": location})

    @extend_schema(request=ConfirmPaymentSerializer, responses=PaymentSerializer)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: int) -> Response:
        """Capture the money and complete the payment. Idempotent."""
        payment = self.get_object()
        confirmation = self._read(ConfirmPaymentSerializer)
        payment = services.confirm_payment(
            payment=payment, gateway=gateways.get(payment.provider), **confirmation
        )
        return self._show(payment)

    def _read(self, serializer: Any) -> dict[str, Any]:
        reading = serializer(data=self.request.data, context=self.get_serializer_context())
        reading.is_valid(raise_exception=True)
        found: dict[str, Any] = reading.validated_data
        return found

    def _show(self, payment: Payment, **answer: Any) -> Response:
        return Response(self.get_serializer(payment).data, **answer)
