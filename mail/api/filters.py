"""Filters of the API's lists. An invalid value is refused, not ignored."""

from typing import Any

import django_filters
from django.db.models import QuerySet

from mail.api.serializers import SENDING, SHOWN_STATES
from mail.models import Delivery, Lane, Message
from mail.models.delivery import DeliveryQuerySet


class Happened(django_filters.TypedChoiceFilter):  # type: ignore[misc]
    """`true` if the time is set, `false` if it is not."""

    def __init__(self, field_name: str) -> None:
        super().__init__(
            field_name=field_name,
            lookup_expr="isnull",
            choices=[("true", "true"), ("false", "false")],
            coerce=lambda value: value == "false",
        )


class MessageFilter(django_filters.FilterSet):  # type: ignore[misc]
    kind = django_filters.CharFilter()
    key = django_filters.CharFilter()
    lane = django_filters.ChoiceFilter(choices=Lane.choices)
    paused = Happened("paused_at")
    cancelled = Happened("cancelled_at")
    erased = Happened("erased_at")
    has = django_filters.ChoiceFilter(
        choices=Delivery.State.choices, method="filter_has", label="has Deliveries in this state"
    )

    class Meta:
        model = Message
        fields: list[str] = []

    def filter_has(self, queryset: QuerySet[Message], name: str, value: str) -> Any:
        return queryset.filter(**{f"{value}__gt": 0})


class DeliveryFilter(django_filters.FilterSet):  # type: ignore[misc]
    state = django_filters.ChoiceFilter(
        choices=[(state, state) for state in SHOWN_STATES], method="filter_state"
    )
    code = django_filters.CharFilter()

    class Meta:
        model = Delivery
        fields: list[str] = []

    def filter_state(self, queryset: DeliveryQuerySet, name: str, value: str) -> Any:
        if value == SENDING:
            return queryset.sending()
        if value == Delivery.State.QUEUED:
            return queryset.queued().not_sending()
        return queryset.filter(state=value)
