"""Filters of the admin's lists; none reads a whole table to find its choices."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from mail import kinds
from mail.models import Delivery

RECENT = 5000

State = Delivery.State
# Written like the conditions of the partial indexes, so that the database uses them.
IS_QUEUED = Q(state=State.QUEUED) & (
    Q(batch=None, paused=False) | Q(paused=True) | Q(batch__isnull=False)
)


class KindFilter(admin.SimpleListFilter):
    """Messages of a declared kind."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in kinds.names()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind=self.value()) if self.value() in kinds.names() else queryset


class MessageStateFilter(admin.SimpleListFilter):
    """Messages that need attention."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("unsettled", _("not settled")),
            ("failed", _("with failures")),
            ("paused", _("paused")),
            ("cancelled", _("cancelled")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "unsettled":
                running = queryset.filter(paused_at=None, cancelled_at=None)
                uncertain = _messages(Q(state=State.UNCERTAIN))
                return running.filter(pk__in=_messages(IS_QUEUED).union(uncertain))
            case "failed":
                return queryset.filter(pk__in=_messages(Q(state=State.FAILED)))
            case "paused":
                return queryset.filter(paused_at__isnull=False, cancelled_at=None)
            case "cancelled":
                return queryset.filter(cancelled_at__isnull=False)
        return queryset


class DeliveryStateFilter(admin.SimpleListFilter):
    """Deliveries in a state as it is shown: `sending` is one, and then it is not `queued`."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*Delivery.State.choices, ("sending", _("sending"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        match self.value():
            case "sending":
                return queryset.sending()
            case "queued":
                return queryset.filter(IS_QUEUED).not_sending()
            case state if state in Delivery.State.values:
                return queryset.filter(state=state)
        return queryset


class CodeFilter(admin.SimpleListFilter):
    """Failed and uncertain Deliveries, by one of the reply codes of recent ones."""

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
        if self.value() not in known:
            return queryset
        return queryset.filter(code=self.value(), state__in=[State.FAILED, State.UNCERTAIN])


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


def _messages(deliveries: Q) -> QuerySet[Any]:
    """The ids of the Messages that have such Deliveries. The counts of a Message have no index,
    so that changing them updates none."""
    return Delivery.objects.filter(deliveries).order_by().values("message")
