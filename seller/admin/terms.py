from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from mail.admin.columns import NOTHING, link_to_message_page
from seller import services
from seller.admin.ownership import OwnRelatedFilter, OwnRowsAdmin, person
from seller.admin.publishing import PublishView
from seller.calendar import today
from seller.models import Product, Terms

RECORD = ["version", "sha256", "published_at", "published_by", "override_reason", "notice"]


@admin.register(Terms)
class TermsAdmin(OwnRowsAdmin):
    """Drafts are written here and published on their own page; other versions are read-only."""

    list_display = ["title", "version", "product", "state", "effective_on", "progress"]
    list_filter = [
        ("published_at", admin.EmptyFieldListFilter),
        "is_unfavourable",
        ("product", OwnRelatedFilter),
    ]
    search_fields = ["title", "product__name"]
    ordering = ["-pk"]
    actions = None  # drafts are deleted one by one, published versions never
    fields = [
        "product",
        "title",
        "body",
        "reason",
        "effective_on",
        "is_unfavourable",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        in_force = Terms.objects.in_force().filter(pk=OuterRef("pk"))
        own: Any = super().get_queryset(request)
        rows: QuerySet[Any] = own.with_seller().with_message().select_related("published_by")
        marked: QuerySet[Any] = rows.annotate(is_in_force=Exists(in_force))
        return marked

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [*self.fields, *RECORD] if obj else list(self.fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["product", *RECORD] if obj else []

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Start a draft from the latest published version, if the URL names the product."""
        initial: dict[str, Any] = {**super().get_changeform_initial_data(request)}
        named = initial.get("product", "")
        products = (
            Product.objects.of(person(request)).filter(pk=named) if named.isdecimal() else []
        )
        for product in products:
            if latest := product.terms.published().last():
                initial |= {"title": latest.title, "body": latest.body}
        return initial

    def save_model(self, request: HttpRequest, obj: Terms, form: Any, change: bool) -> None:
        if change:
            obj.save()
            return
        draft = services.draft_terms(**form.cleaned_data)
        obj.pk, obj._state.adding = draft.pk, False
        obj.refresh_from_db()

    def get_urls(self) -> list[URLPattern]:
        publish = PublishView(self)
        route = path(
            "<path:object_id>/publish/",
            self.admin_site.admin_view(publish),
            name="seller_terms_publish",
        )
        return [route, *super().get_urls()]

    def has_change_permission(self, request: HttpRequest, obj: Terms | None = None) -> bool:
        return not _is_record(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Terms | None = None) -> bool:
        return not _is_record(obj) and super().has_delete_permission(request, obj)

    @admin.display(description=_("state"))
    def state(self, terms: Terms) -> Any:
        if not terms.is_published:
            return _("draft")
        if terms.is_in_force:  # type: ignore[attr-defined]
            return _("in force")
        return _("published, upcoming") if terms.effective_on > today() else _("replaced")

    @admin.display(description=_("sent"))
    def progress(self, terms: Terms) -> str:
        if terms.message is None:
            return NOTHING
        return f"{terms.message.sent:,} / {terms.message.recipients:,}"

    @admin.display(description=_("notice"))
    def notice(self, terms: Terms) -> str | SafeString:
        """The notice of the change, linked to its page."""
        if terms.message is None:
            return NOTHING
        return link_to_message_page(terms.message.pk, f"{terms.message} ({self.progress(terms)})")


def _is_record(terms: Terms | None) -> bool:
    return terms is not None and terms.is_published
