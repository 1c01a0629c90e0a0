"""Batches, Attempts and Broadcasts in the admin, read-only."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from mail.admin import columns
from mail.admin.history import HistoryAdmin
from mail.models import Attempt, Batch, Broadcast


class OpenFilter(admin.SimpleListFilter):
    """Batches that wait, are claimed, or are closed."""

    title = gettext_lazy("state")
    parameter_name = "where"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("waiting", gettext_lazy("waiting for a worker")),
            ("claimed", gettext_lazy("claimed by a worker")),
            ("closed", gettext_lazy("closed")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "waiting":
                return queryset.filter(closed_at=None, claimed_at=None)
            case "claimed":
                return queryset.filter(closed_at=None, claimed_at__isnull=False)
            case "closed":
                return queryset.filter(closed_at__isnull=False)
        return queryset


@admin.register(Batch)
class BatchAdmin(HistoryAdmin):
    """What was bound together, and which worker claimed it when."""

    list_display = (
        "id",
        "lane",
        "size",
        "worker",
        "created_at",
        "published_at",
        "claimed_at",
        "closed_at",
        "rescued",
    )
    list_filter = (OpenFilter, "lane", "rescued")
    fieldsets = (
        (None, {"fields": ("id", "lane", "size", "created_at", "published_at")}),
        (
            gettext_lazy("Claim"),
            {"fields": ("worker", "claimed_at", "lease_until", "begun", "through_id")},
        ),
        (gettext_lazy("End"), {"fields": ("closed_at", "rescued")}),
    )


@admin.register(Attempt)
class AttemptAdmin(HistoryAdmin):
    """The attempts that did not end in `sent`, of all Deliveries."""

    list_display = (
        "ended_at",
        "delivery",
        "outcome",
        "phase",
        "code",
        "enhanced",
        "reply",
        "host",
    )
    list_filter = ("outcome",)
    list_select_related = ("delivery",)


@admin.register(Broadcast)
class BroadcastAdmin(HistoryAdmin):
    """Whom each broadcast goes to, and how many of its recipients are recorded."""

    list_display = ("audience", "message_link", "bar", "moment", "expanded_at")
    list_filter = ("audience",)
    fields = (
        "audience",
        "params",
        "message_link",
        "bar",
        "moment",
        "cursor",
        "expanded_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Broadcast]:
        return Broadcast.objects.deferring_content().order_by(*self.ordering)

    @admin.display(description=gettext_lazy("message"))
    def message_link(self, broadcast: Broadcast) -> SafeString:
        return columns.link_to_message(broadcast.message)

    @admin.display(description=gettext_lazy("progress"))
    def bar(self, broadcast: Broadcast) -> SafeString:
        return columns.progress_bar(broadcast.message)
