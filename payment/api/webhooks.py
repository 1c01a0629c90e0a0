"""Webhooks over HTTP: what payment providers tell, told from the raw bytes."""

import logging

from django.core.exceptions import RequestDataTooBig
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from payment import gateways
from payment.inbox import process_event
from payment.models import WebhookEvent

log = logging.getLogger(__name__)

BODY_LIMIT = 64 * 1024


class WebhookView(APIView):
    """The inbox of one provider. The signature is the authentication."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        request=OpenApiTypes.OBJECT,
        responses=inline_serializer(
            "WebhookAnswer",
            {"outcome": serializers.ChoiceField(choices=WebhookEvent.Outcome.choices)},
        ),
    )
    def post(self, request: Request, provider: str) -> Response:
        """Take an event, once: 200 with what became of it, also for a replay.

        400 for one that is not signed just now by the provider, 413 beyond 64 KB; nothing of
        these is kept. 5xx is trouble here, and the provider tries again.
        """
        try:
            gateway = gateways.get(provider)
        except gateways.UnknownGateway:
            raise NotFound from None
        body = _raw(request)
        try:
            event = gateway.verify(request.headers, body)
        except gateways.InvalidSignature as error:
            log.warning("refused a webhook to %s: %s", gateway.name, error)
            raise
        entry = process_event(event=event)
        return Response({"outcome": entry.outcome})


def _raw(request: Request) -> bytes:
    """The octets of the body. Raises RequestDataTooBig, having read one octet past the limit."""
    body = request._request.read(BODY_LIMIT + 1)
    if len(body) > BODY_LIMIT:
        raise RequestDataTooBig(f"The body is longer than {BODY_LIMIT:,} octets.")
    return body
