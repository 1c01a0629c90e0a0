from django.contrib import admin
from django.http import HttpRequest

from seller.admin.ownership import ModelAdmin
from seller.models import NoticePeriod


@admin.register(NoticePeriod)
class NoticePeriodAdmin(ModelAdmin):
    """Users with Django's change permission edit the days; rows are never added or deleted."""

    list_display = ["change", "days"]
    readonly_fields = ["change"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: NoticePeriod | None = None) -> bool:
        return False
