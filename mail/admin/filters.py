"""Filters of the admin's lists; none of them reads a whole table for its choices."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from mail import kinds
from mail.models import Delivery

RECENT = 5000

IS_SENDING = Q(state=Delivery.State.QUEUED, batch__claimed_at__isnull=False, batch__closed_at=None)


class KindFilter(admin.SimpleListFilter):
    """Messages of a declared kind."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in kinds.names()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind=self.value()) if self.value() in kinds.names() else queryset


class MessageStateFilter(admin.SimpleListFilter):
    """Messages that want a look."""

    title = _("state")
    parameter_name = "state"
    conditions = {
        "unsettled": Q(paused_at=None, cancelled_at=None) & (Q(queued__gt=0) | Q(uncertain__gt=0)),
        "failed": Q(failed__gt=0),
        "paused": Q(paused_at__isnull=False, cancelled_at=None),
        "cancelled": Q(cancelled_at__isnull=False),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("unsettled", _("not settled")),
            ("failed", _("with failures")),
            ("paused", _("paused")),
            ("cancelled", _("cancelled")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(self.conditions.get(self.value() or "", Q()))


class DeliveryStateFilter(admin.SimpleListFilter):
    """Deliveries in a state as it is shown: `sending` is one, and then it is not `queued`."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*Delivery.State.choices, ("sending", _("sending"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "sending":
                return queryset.filter(IS_SENDING)
            case "queued":
                return queryset.filter(state="queued").exclude(IS_SENDING)
            case state if state in Delivery.State.values:
                return queryset.filter(state=state)
        return queryset


class CodeFilter(admin.SimpleListFilter):
    """Deliveries with a reply code that recent trouble has shown."""

    title = _("code")
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        troubled = Delivery.objects.filter(
            state__in=[Delivery.State.FAILED, Delivery.State.UNCERTAIN]
        )
        recent = troubled.order_by("-pk").values_list("code", flat=True)[:RECENT]
        return [(code, code) for code in sorted(set(recent)) if code]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = {str(code) for code, _label in self.lookup_choices}
        return queryset.filter(code=self.value()) if self.value() in known else queryset


class MessageFilter(admin.SimpleListFilter):
    """The Deliveries of one Message, when a link asks for them: ?message=42."""

    title = _("message")
    parameter_name = "message"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(number, f"#{number}")] if (number := self._number()) else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(message=number) if (number := self._number()) else queryset

    def _number(self) -> str:
        value = str(self.value() or "")
        return value if value.isascii() and value.isdecimal() else ""
