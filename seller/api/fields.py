"""Fields of the API that several apps use."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers


class OwnRowField(serializers.PrimaryKeyRelatedField[Any]):
    """The primary key of a row that belongs to the caller; any other does not exist.

    The QuerySet of its model has `of(user)`.
    """

    def get_queryset(self) -> QuerySet[Any]:
        rows: Any = super().get_queryset()
        own: QuerySet[Any] = rows.of(self.context["request"].user)
        return own
