from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from mail.admin.history import Unwritable
from mail.admin.long_list import LongListAdmin
from mail.content.addresses import InvalidAddress, normalise
from seller import services
from seller.admin.ownership import OwnRelatedFilter, OwnRowsAdmin
from seller.models import Subscription


@admin.register(Subscription)
class SubscriptionAdmin(Unwritable, LongListAdmin, OwnRowsAdmin):
    """Subscriptions are made by customers; here they are read, and ended."""

    list_display = ["id", "name", "address", "product", "started_at", "ended_at"]
    list_filter = [
        ("ended_at", admin.EmptyFieldListFilter),
        ("product", OwnRelatedFilter),
    ]
    list_select_related = ["product"]
    search_fields = ["address"]
    search_help_text = _("The whole e-mail address.")
    actions = ["end"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by the whole address, which has an index."""
        if not search_term.strip():
            return queryset, False
        try:
            return queryset.filter(address=normalise(search_term)), False
        except InvalidAddress:
            return queryset.none(), False

    @admin.action(description=_("End the selected subscriptions"), permissions=["end"])
    def end(self, request: HttpRequest, subscriptions: QuerySet[Subscription]) -> None:
        ended = 0
        for subscription in subscriptions.active():  # type: ignore[attr-defined]
            services.end_subscription(subscription=subscription)
            self.log_change(request, subscription, gettext("Ended."))
            ended += 1
        text = ngettext("%d subscription ended.", "%d subscriptions ended.", ended) % ended
        self.message_user(request, text, messages.SUCCESS)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return self._acts_for_somebody(request)
