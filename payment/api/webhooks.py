"""Webhooks of payment providers, verified on the raw body."""

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
    """The endpoint of one provider, authenticated by its signature."""

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
        """Process an event once: 200 with its outcome, for a replay that of the first time.

        400 without a valid signature of the last five minutes, 413 above 64 KB; neither is
        stored. After 5xx the provider tries again.
        """
        try:
            gateway = gateways.get(provider)
        except gateways.UnknownGateway:
            raise NotFound from None
        body = _raw(request)
        try:
            event = gateway.verify(request.headers, body)
        except gateways.InvalidSignature as error:
            log.warning("rejected a webhook of %s: %s", gateway.name, error)
            raise
        entry = process_event(event=event)
        return Response({"outcome": entry.outcome})


def _raw(request: Request) -> bytes:
    """The octets of the body. Raises RequestDataTooBig, having read one octet past the limit."""
    body = request._request.read(BODY_LIMIT + 1)
    if len(body) > BODY_LIMIT:
        raise RequestDataTooBig(f"The body is longer than {BODY_LIMIT:,} octets.")
    return body
