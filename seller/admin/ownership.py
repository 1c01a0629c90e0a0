"""Ownership: the staff of a seller see and change its rows, and no others.

Acting for a seller is the permission, in the admin as in the API; Django's model permissions are
not checked. Superusers act for every seller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.http import HttpRequest

from seller.models import Seller

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import ForeignKey, QuerySet
    from django.forms import ModelChoiceField
    from django.utils.functional import _StrPromise

    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


def person(request: HttpRequest) -> User:
    """The user of an admin request, who is logged in."""
    return cast("User", request.user)


class OwnRowsAdmin(ModelAdmin):
    """The admin of a model whose QuerySet has `of(user)`."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = cast("Any", super().get_queryset(request)).of(person(request))
        return rows

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        """Offer and accept only the user's own rows."""
        related = cast("Any", db_field.remote_field.model)._default_manager
        kwargs.setdefault("queryset", related.of(person(request)))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._acts_for_somebody(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._acts_for_somebody(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._acts_for_somebody(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._acts_for_somebody(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._acts_for_somebody(request)

    def _acts_for_somebody(self, request: HttpRequest) -> bool:
        """Whether the user acts for any seller, looked up once per request."""
        known, user = request.__dict__, person(request)
        if "acts_for_somebody" not in known:
            known["acts_for_somebody"] = user.is_superuser or Seller.objects.of(user).exists()
        return bool(known["acts_for_somebody"])


class OwnRelatedFilter(admin.RelatedFieldListFilter):
    """A filter by the user's own related rows; it queries the related table only."""

    def field_choices(
        self, field: Any, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str | _StrPromise]]:
        own = field.remote_field.model.objects.of(person(request))
        return [(str(row.pk), str(row)) for row in own]
