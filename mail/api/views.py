"""Views: Messages to read and steer, and their Deliveries."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.status import HTTP_202_ACCEPTED
from rest_framework.viewsets import ReadOnlyModelViewSet

from mail.api.filters import DeliveryFilter, MessageFilter
from mail.api.permissions import MaySteer
from mail.api.serializers import (
    DeliverySerializer,
    MessageDetailSerializer,
    MessageSerializer,
    ResendSerializer,
    ResentSerializer,
)
from mail.models import Delivery, Message
from mail.operations import access, actions, resend_filter

steers = action(detail=True, methods=["post"], permission_classes=[IsAuthenticated, MaySteer])


class MessageViewSet(ReadOnlyModelViewSet[Message]):
    """The Messages that the user may see."""

    queryset = Message.objects.none()
    filterset_class = MessageFilter

    def get_queryset(self) -> QuerySet[Message]:
        visible = access.visible_to(self.request.user).select_related("broadcast")
        unread = ["mime"] if self.action == "retrieve" else ["mime", "text", "html"]
        return visible.defer(*unread)

    def get_serializer_class(self) -> type[BaseSerializer[Message]]:
        return MessageDetailSerializer if self.action == "retrieve" else MessageSerializer

    @extend_schema(request=None, responses={202: MessageSerializer})
    @steers
    def pause(self, request: Request, pk: int) -> Response:
        """Stop sending. Mails already being sent are finished."""
        return self._steer(actions.pause)

    @extend_schema(request=None, responses={202: MessageSerializer})
    @steers
    def resume(self, request: Request, pk: int) -> Response:
        """Continue after a pause; 409 `not_resumable` if the message was cancelled."""
        return self._steer(actions.resume)

    @extend_schema(request=None, responses={202: MessageSerializer})
    @steers
    def cancel(self, request: Request, pk: int) -> Response:
        """Cancel what has not been sent yet, permanently."""
        return self._steer(actions.cancel)

    @extend_schema(request=ResendSerializer, responses=ResentSerializer)
    @steers
    def resend(self, request: Request, pk: int) -> Response:
        """Queue the failed deliveries again. A repeated request finds none left to queue."""
        message = self.get_object()
        asked = ResendSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        found = resend_filter.failed(message=message.pk, **asked.validated_data)
        uncertain = asked.validated_data["include_uncertain"]
        resent = actions.resend(found, by=request.user, include_uncertain=uncertain)
        return Response({"resent": resent})

    def _steer(self, change: Any) -> Response:
        message = self.get_object()
        change(message, by=self.request.user)
        return Response(self.get_serializer(message).data, status=HTTP_202_ACCEPTED)


class DeliveryList(ListAPIView[Delivery]):
    """The Deliveries of a Message. One that a worker is sending has the state `sending`."""

    queryset = Delivery.objects.none()
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilter

    def get_queryset(self) -> QuerySet[Delivery]:
        visible = access.visible_to(self.request.user).deferring_content()
        message = get_object_or_404(visible, pk=self.kwargs["pk"])
        return message.deliveries.select_related("batch")
