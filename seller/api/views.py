"""Products and terms over HTTP; those of other sellers are not found."""

from typing import TYPE_CHECKING, Any, cast

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView, ListCreateAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from seller import services
from seller.api.serializers import (
    PreviewSerializer,
    ProductSerializer,
    PublishedSerializer,
    PublishSerializer,
    TermsSerializer,
)
from seller.models import Product, Terms
from seller.preview import preview

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet


class ProductList(ListCreateAPIView[Product]):
    """The products of the sellers that the caller acts for."""

    serializer_class = ProductSerializer
    queryset = Product.objects.none()

    def get_queryset(self) -> "QuerySet[Product]":
        return Product.objects.of(caller(self.request)).order_by("-pk")


class TermsOfProduct(ListCreateAPIView[Terms]):
    """The versions of a product's terms; POST drafts the next one."""

    serializer_class = TermsSerializer
    queryset = Terms.objects.none()

    def get_queryset(self) -> "QuerySet[Terms]":
        return self._product().terms.order_by("-pk")

    def perform_create(self, serializer: BaseSerializer[Terms]) -> None:
        serializer.instance = services.draft_terms(
            product=self._product(), **serializer.validated_data
        )

    def _product(self) -> Product:
        return get_object_or_404(Product.objects.of(caller(self.request)), pk=self.kwargs["pk"])


class OwnTermsView(GenericAPIView[Terms]):
    """A version of the terms of a product of a seller that the caller acts for."""

    serializer_class: Any = TermsSerializer
    queryset = Terms.objects.none()

    def get_queryset(self) -> "QuerySet[Terms]":
        return Terms.objects.of(caller(self.request)).with_seller()


class TermsDetail(OwnTermsView, RetrieveAPIView[Terms]):
    """One version of terms."""


class TermsPreview(OwnTermsView):
    """The notice that publishing would send."""

    serializer_class = PreviewSerializer

    def get(self, request: Request, pk: int) -> Response:
        return Response(self.get_serializer(preview(self.get_object())).data)


class TermsPublish(OwnTermsView):
    """Publish a draft and notify every active subscriber, in the background."""

    serializer_class = PublishSerializer

    @extend_schema(responses={202: PublishedSerializer})
    def post(self, request: Request, pk: int) -> Response:
        request_data = self.get_serializer(data=request.data)
        request_data.is_valid(raise_exception=True)
        terms = services.publish_terms(
            terms=self.get_object(), by=caller(request), **request_data.validated_data
        )
        published = PublishedSerializer(terms, context=self.get_serializer_context())
        return Response(published.data, status=202)


def caller(request: Request) -> "User":
    return cast("User", request.user)
