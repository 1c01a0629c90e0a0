"""Lists of the admin, in any app, that may have millions of rows."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts up to `most` rows: nobody pages through a million, they search."""

    most = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.most].count())


class LongList(ChangeList):
    """A change list with the page links of its own pagination."""

    def page_range(self) -> Iterator[str | int]:
        """The page numbers to link to, and an ellipsis where some are left out."""
        yield from self.paginator.get_elided_page_range(self.page_num) if self.multi_page else ()


class LongListAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """An admin whose list costs the same for ten rows and for ten million."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    sortable_by = ()  # only the index on the primary key can sort millions
    change_list_template = "admin/history/change_list.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LongList
