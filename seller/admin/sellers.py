from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from seller.admin.ownership import OwnRowsAdmin, person
from seller.models import Seller


@admin.register(Seller)
class SellerAdmin(OwnRowsAdmin):
    """Superusers decide who acts for a seller; its staff may edit its contact data."""

    list_display = ["name", "representative", "business_number", "phone", "email"]
    search_fields = ["name", "business_number"]
    autocomplete_fields = ["staff"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if person(request).is_superuser else ("staff", "business_number")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return person(request).is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return person(request).is_superuser
