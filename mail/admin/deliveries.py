"""Deliveries in the admin: each recipient's copy, the server's reply, and the actions on it."""

import re

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mail.admin import previews
from mail.admin.columns import DeliveryColumns
from mail.admin.filters import CodeFilter, DeliveryStateFilter, MessageFilter
from mail.admin.history import Button, SharedHistoryAdmin, Unwritable, ask
from mail.content import addresses
from mail.models import Attempt, Delivery
from mail.models.delivery import DeliveryQuerySet
from mail.operations import access, actions

OF_A_BROADCAST = re.compile(r"^<?([0-9a-f-]{36})\.(\d{1,18})@", re.IGNORECASE)


class AttemptInline(Unwritable, admin.TabularInline):  # type: ignore[type-arg]
    """The attempts that did not end in `sent`."""

    model = Attempt
    fields = (
        "ended_at",
        "outcome",
        "phase",
        "scope",
        "code",
        "enhanced",
        "reply",
        "host",
        "batch",
    )


@admin.register(Delivery)
class DeliveryAdmin(DeliveryColumns, SharedHistoryAdmin):
    """The recipients' copies."""

    list_display = ("address", "message_link", "shown_state", "last_reply", "attempts", "when")
    list_filter = (DeliveryStateFilter, MessageFilter, CodeFilter)
    list_select_related = ("message", "batch")
    search_fields = ("address",)
    search_help_text = gettext_lazy("Address or Message-ID, in full.")
    actions = ("resend_failed", "resend_held", "mark_sent")
    inlines = (AttemptInline,)
    fieldsets = (
        (
            None,
            {"fields": ("address", "name", "message_link", "lane", "shown_state")},
        ),
        (
            gettext_lazy("Reply"),
            {"fields": ("settled_at", "code", "enhanced", "reply", "host")},
        ),
        (
            gettext_lazy("Attempts"),
            {"fields": ("attempts", "uncertainties", "due_at", "expires_at", "batch")},
        ),
        (gettext_lazy("Mail"), {"fields": ("header_id", "mail")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        rows = access.deliveries_visible_to(request.user).order_by(*self.ordering)
        return rows.deferring_content().select_related("batch")

    def get_urls(self) -> list[URLPattern]:
        return [*previews.delivery_urls(self), *super().get_urls()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        """The exact address, or the Message-ID of a mail."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if match := OF_A_BROADCAST.match(term):
            return queryset.filter(pk=int(match[2])), False
        if term.startswith("<"):
            return queryset.filter(message__message_id=term), False
        return queryset.filter(Q(address=term) | Q(address=_normalised(term))), False

    def buttons(self, obj: Delivery) -> list[Button]:
        """The actions that would change something."""
        if obj.state == Delivery.State.FAILED:
            return [Button("resend_failed", _("Resend"))]
        if obj.state == Delivery.State.UNCERTAIN:
            return [
                Button("resend_held", _("Resend…")),
                Button("mark_sent", _("Mark as sent…")),
            ]
        return []

    def title_of(self, obj: Delivery) -> str:
        return f"{obj.address} – {obj.message}"

    @admin.action(description=gettext_lazy("Resend failed"), permissions=["steer"])
    def resend_failed(self, request: HttpRequest, queryset: DeliveryQuerySet) -> None:
        count = actions.resend(_bare(queryset), by=request.user)
        self.message_user(request, _("%(count)d queued again.") % {"count": count})

    @admin.action(description=gettext_lazy("Resend held…"), permissions=["steer"])
    def resend_held(self, request: HttpRequest, queryset: DeliveryQuerySet) -> HttpResponse | None:
        if "sure" not in request.POST:
            question = _("Resend mails that may have arrived? Recipients may get a second copy.")
            return ask(self, request, queryset, action="resend_held", question=question)
        held = _bare(queryset).filter(state=Delivery.State.UNCERTAIN)
        count = actions.resend(held, by=request.user, include_uncertain=True)
        self.message_user(request, _("%(count)d queued again.") % {"count": count})
        return None

    @admin.action(description=gettext_lazy("Mark uncertain as sent…"), permissions=["steer"])
    def mark_sent(self, request: HttpRequest, queryset: DeliveryQuerySet) -> HttpResponse | None:
        if "sure" not in request.POST:
            question = _("Mark as sent? Only with evidence: nothing more will be sent.")
            return ask(self, request, queryset, action="mark_sent", question=question)
        count = actions.mark_sent(_bare(queryset), by=request.user)
        self.message_user(request, _("%(count)d marked as sent.") % {"count": count})
        return None


def _bare(deliveries: DeliveryQuerySet) -> DeliveryQuerySet:
    """The same rows without the joins of the list, because they are about to be locked."""
    return deliveries.select_related(None).defer(None)


def _normalised(address: str) -> str:
    try:
        return addresses.normalise(address)
    except addresses.InvalidAddress:
        return address
