"""How the API shows products and terms."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.reverse import reverse

from seller import validators
from seller.api.fields import OwnRowField
from seller.models import Product, Seller, Terms


class ProductSerializer(serializers.ModelSerializer[Product]):
    seller = OwnRowField(queryset=Seller.objects.all())

    class Meta:
        model = Product
        fields = ["id", "seller", "name", "description", "price", "period_days", "is_active"]


class TermsSerializer(serializers.ModelSerializer[Terms]):
    state = serializers.SerializerMethodField()
    message = serializers.SerializerMethodField()

    class Meta:
        model = Terms
        fields = [
            "id",
            "product",
            "version",
            "state",
            "title",
            "body",
            "sha256",
            "reason",
            "effective_on",
            "is_unfavourable",
            "published_at",
            "override_reason",
            "message",
        ]
        read_only_fields = [
            "product",
            "version",
            "sha256",
            "published_at",
            "override_reason",
        ]

    def get_state(self, terms: Terms) -> str:
        return "published" if terms.is_published else "draft"

    def get_message(self, terms: Terms) -> str | None:
        """The URL of this version's notice; null if there is none."""
        return message_url(terms, self.context)


class PreviewSerializer(serializers.Serializer[Any]):
    """The notice, its placeholders shown as {name} and {address}; null for a first version."""

    subject = serializers.CharField(allow_null=True)
    text = serializers.CharField(allow_null=True)
    html = serializers.CharField(allow_null=True)
    recipients = serializers.IntegerField()


class PublishSerializer(serializers.Serializer[Any]):
    """The request to publish."""

    override_reason = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=2_000,
        validators=[validators.text],
        help_text="Why the notice is shorter than required; needs a permission.",
    )


class PublishedSerializer(serializers.Serializer[Terms]):
    """The response to publishing."""

    terms = serializers.IntegerField(source="pk")
    message = serializers.SerializerMethodField()

    def get_message(self, terms: Terms) -> str | None:
        """The URL of the broadcast, which shows its progress; null for a first version."""
        return message_url(terms, self.context)


def message_url(terms: Terms, context: Mapping[str, Any]) -> str | None:
    if terms.message_id is None:
        return None
    return reverse("message-detail", args=[terms.message_id], request=context.get("request"))
