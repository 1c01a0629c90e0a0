"""Serializers: Messages and Deliveries as the API shows them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from mail.models import Delivery, Message
from mail.operations import preview
from mail.operations.progress import is_expanded, progress

SENDING = "sending"
SHOWN_STATES = [*Delivery.State.values, SENDING]


class CountsSerializer(serializers.Serializer[Message]):
    """Deliveries by state."""

    queued = serializers.IntegerField()
    sent = serializers.IntegerField()
    failed = serializers.IntegerField()
    uncertain = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class UrlsSerializer(serializers.Serializer[dict[str, str]]):
    """Links from a Message."""

    deliveries = serializers.URLField()
    pause = serializers.URLField()
    resume = serializers.URLField()
    cancel = serializers.URLField()
    resend = serializers.URLField()


class MessageSerializer(serializers.ModelSerializer[Message]):
    """A Message without its content."""

    url = serializers.HyperlinkedIdentityField(view_name="message-detail")
    counts = CountsSerializer(source="*")
    recipients = serializers.IntegerField(help_text="Known so far.")
    folded = serializers.IntegerField(source="duplicates", help_text="Repeated addresses.")
    progress = serializers.SerializerMethodField()
    expanded = serializers.SerializerMethodField()
    urls = serializers.SerializerMethodField()

    class Meta:
        model = Message
        fields: tuple[str, ...] = (
            "id",
            "url",
            "uuid",
            "kind",
            "lane",
            "key",
            "subject",
            "sender",
            "message_id",
            "sha256",
            "personal",
            "counts",
            "recipients",
            "folded",
            "progress",
            "expanded",
            "created_at",
            "paused_at",
            "pause_reason",
            "cancelled_at",
            "erased_at",
            "urls",
        )
        read_only_fields: tuple[str, ...] = fields

    def get_progress(self, message: Message) -> float:
        """The settled share from 0 to 1; 1 means that all recipients are known and none waits."""
        return progress(message)

    def get_expanded(self, message: Message) -> bool:
        """Whether all recipients are known."""
        return is_expanded(message)

    @extend_schema_field(UrlsSerializer)
    def get_urls(self, message: Message) -> dict[str, str]:
        request = self.context["request"]
        return {
            name: reverse(f"message-{name}", args=[message.pk], request=request)
            for name in ("deliveries", "pause", "resume", "cancel", "resend")
        }


class MessageDetailSerializer(MessageSerializer):
    """A Message with its text and HTML, which are null when secret or erased."""

    text = serializers.SerializerMethodField()
    html = serializers.SerializerMethodField()

    class Meta(MessageSerializer.Meta):
        fields = (*MessageSerializer.Meta.fields, "text", "html")
        read_only_fields = fields

    def get_text(self, message: Message) -> str | None:
        return message.text if preview.is_readable(message) else None

    def get_html(self, message: Message) -> str | None:
        return message.html if preview.is_readable(message) else None


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """One recipient's copy: its state and the server's reply."""

    state = serializers.SerializerMethodField()
    message_id = serializers.CharField(source="message_id_header", help_text="The header.")

    class Meta:
        model = Delivery
        fields = (
            "id",
            "address",
            "name",
            "state",
            "attempts",
            "due_at",
            "expires_at",
            "settled_at",
            "code",
            "enhanced",
            "reply",
            "host",
            "message_id",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=SHOWN_STATES))
    def get_state(self, delivery: Delivery) -> str:
        return shown_state(delivery)


def shown_state(delivery: Delivery) -> str:
    """The state, or `sending` while its Batch is claimed; needs select_related("batch")."""
    if delivery.state != Delivery.State.QUEUED or delivery.batch is None:
        return delivery.state
    claimed = delivery.batch.claimed_at is not None and delivery.batch.closed_at is None
    return SENDING if claimed else delivery.state


class ResendSerializer(serializers.Serializer[dict[str, Any]]):
    """Which Deliveries of the Message to queue again; without filters, all failed ones."""

    code = serializers.CharField(max_length=20, required=False)
    domain = serializers.CharField(max_length=255, required=False)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)
    limit = serializers.IntegerField(required=False)
    include_uncertain = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if isinstance(self.initial_data, dict) and (
            unknown := self.initial_data.keys() - self.fields.keys()
        ):
            raise serializers.ValidationError(
                {name: ["Unknown filter."] for name in sorted(unknown)}, code="unknown"
            )
        return attrs


class ResentSerializer(serializers.Serializer[dict[str, int]]):
    """How many Deliveries were queued again."""

    resent = serializers.IntegerField()
