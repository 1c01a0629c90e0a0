"""Messages in the admin: what was sent, how far it got, and the actions on it."""

import re
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mail import outbox
from mail.admin import previews
from mail.admin.columns import MessageColumns
from mail.admin.filters import KindFilter, MessageStateFilter
from mail.admin.history import Button, SharedHistoryAdmin, Unwritable, ask
from mail.models import Broadcast, Message
from mail.operations import access, actions, resend_filter
from mail.operations.progress import progress

UUID_IN = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


class BroadcastInline(Unwritable, admin.StackedInline):  # type: ignore[type-arg]
    """Whom a broadcast goes to."""

    model = Broadcast
    fields = ("audience", "params", "moment", "expanded_at")


@admin.register(Message)
class MessageAdmin(MessageColumns, SharedHistoryAdmin):
    """What was sent."""

    list_display = (
        "title",
        "kind",
        "lane",
        "bar",
        "trouble",
        "state",
        "created_at",
    )
    list_filter = (MessageStateFilter, KindFilter, "lane")
    list_select_related = ("broadcast",)
    search_fields = ("key",)
    search_help_text = gettext_lazy("Key, number or Message-ID, in full.")
    actions = ("pause", "resume", "cancel", "resend_failed")
    inlines = (BroadcastInline,)
    fieldsets = (
        (None, {"fields": ("title", "sender", "kind", "lane", "key")}),
        (
            gettext_lazy("Progress"),
            {"fields": ("state", "bar", "by_state", "duplicates")},
        ),
        (
            gettext_lazy("Content"),
            {"fields": ("html_body", "text_body", "downloads", "sha256")},
        ),
        (
            gettext_lazy("Record"),
            {
                "fields": (
                    "created_at",
                    "paused_at",
                    "pause_reason",
                    "cancelled_at",
                    "erased_at",
                    "uuid",
                    "message_id",
                    "envelope_from",
                )
            },
        ),
        (gettext_lazy("Policy"), {"fields": ("on_uncertain", "patience", "retention")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        return access.visible_to(request.user).deferring_content().order_by(*self.ordering)

    def get_urls(self) -> list[URLPattern]:
        return [*previews.message_urls(self), *super().get_urls()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Message], search_term: str
    ) -> tuple[QuerySet[Message], bool]:
        """Exact matches on unique columns; every Message-ID made by Moa contains the uuid."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(key=term)
        if term.isascii() and term.isdecimal():
            found |= Q(pk=int(term))
        if match := UUID_IN.search(term):
            found |= Q(uuid=UUID(match[0]))
        elif "@" in term:
            found |= Q(message_id=term)
        return queryset.filter(found), False

    def buttons(self, obj: Message) -> list[Button]:
        """The actions that would change something."""
        waits = obj.cancelled_at is None and progress(obj) < 1
        if waits and obj.paused_at:
            verbs = [Button("resume", _("Resume")), Button("cancel", _("Cancel…"))]
        elif waits:
            verbs = [Button("pause", _("Pause")), Button("cancel", _("Cancel…"))]
        else:
            verbs = []
        if obj.failed and not obj.cancelled_at and not obj.erased_at:
            verbs.append(Button("resend_failed", _("Resend failed")))
        return verbs

    @admin.action(description=gettext_lazy("Pause"), permissions=["steer"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        for message in queryset:
            actions.pause(message, by=request.user)
        self.message_user(request, _("Paused. Mails already being sent will be finished."))

    @admin.action(description=gettext_lazy("Resume"), permissions=["steer"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        for message in queryset:
            try:
                actions.resume(message, by=request.user)
            except outbox.NotResumable:
                text = _("“%(message)s” is cancelled and cannot be resumed.")
                self.message_user(request, text % {"message": message}, "warning")
            else:
                self.message_user(request, _("“%(message)s” is resumed.") % {"message": message})

    @admin.action(description=gettext_lazy("Cancel…"), permissions=["steer"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Message]) -> HttpResponse | None:
        if "sure" not in request.POST:
            question = _("Cancel permanently? Mails that have not left will never be sent.")
            return ask(self, request, queryset, action="cancel", question=question)
        for message in queryset:
            actions.cancel(message, by=request.user)
        self.message_user(request, _("Cancelled."))
        return None

    @admin.action(description=gettext_lazy("Resend failed"), permissions=["steer"])
    def resend_failed(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        count = sum(
            actions.resend(resend_filter.failed(message=message.pk), by=request.user)
            for message in queryset
        )
        self.message_user(request, _("%(count)d queued again.") % {"count": count})
