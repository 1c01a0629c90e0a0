from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from seller import money
from seller.admin.ownership import OwnRelatedFilter, OwnRowsAdmin
from seller.models import Product


@admin.register(Product)
class ProductAdmin(OwnRowsAdmin):
    list_display = ["name", "seller", "won", "period_days", "is_active"]
    list_filter = ["is_active", ("seller", OwnRelatedFilter)]
    list_select_related = ["seller"]
    search_fields = ["name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A product keeps its seller, with whom its subscribers have a contract."""
        return ("seller",) if obj else ()

    @admin.display(description=_("price"), ordering="price")
    def won(self, product: Product) -> str:
        return money.won(product.price)
