"""Ownership: the staff of a seller see its rows, and those of nobody else.

What they may do with them is decided by Django's own permissions. Superusers act for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.http import HttpRequest

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import ForeignKey, QuerySet
    from django.forms import ModelChoiceField
    from django.utils.functional import _StrPromise

    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


def person(request: HttpRequest) -> User:
    """The user of a request that the admin has let in."""
    return cast("User", request.user)


class OwnRowsAdmin(ModelAdmin):
    """The admin of a model whose QuerySet knows `of(user)`."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = cast("Any", super().get_queryset(request)).of(person(request))
        return rows

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        """Offer and accept own rows only."""
        related = cast("Any", db_field.remote_field.model)._default_manager
        kwargs.setdefault("queryset", related.of(person(request)))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class OwnRelatedFilter(admin.RelatedFieldListFilter):
    """Filter by a related row of one's own; looks at the related table only, however many rows."""

    def field_choices(
        self, field: Any, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str | _StrPromise]]:
        own = field.remote_field.model.objects.of(person(request))
        return [(str(row.pk), str(row)) for row in own]
