from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from seller import services
from seller.admin.ownership import OwnRelatedFilter, OwnRowsAdmin, person
from seller.admin.publishing import PublishView
from seller.calendar import today
from seller.models import Product, Terms

NOTHING = "–"
RECORD = ["version", "sha256", "published_at", "published_by", "override_reason", "notice"]


@admin.register(Terms)
class TermsAdmin(OwnRowsAdmin):
    """A draft is written here and published from its own page; a published version is read."""

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
        rows: QuerySet[Any] = super().get_queryset(request).annotate(is_in_force=Exists(in_force))
        rows = rows.select_related("product__seller", "message", "published_by")
        return rows.defer("message__mime", "message__text", "message__html")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [*self.fields, *RECORD] if obj else list(self.fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["product", *RECORD] if obj else []

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin a draft with the words of the version before it, when the product is named."""
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
        is_record = obj is not None and obj.is_published
        return not is_record and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Terms | None = None) -> bool:
        is_record = obj is not None and obj.is_published
        return not is_record and super().has_delete_permission(request, obj)

    @admin.display(description=_("state"))
    def state(self, terms: Terms) -> Any:
        if not terms.is_published:
            return _("draft")
        if terms.is_in_force:  # type: ignore[attr-defined]
            return _("in force")
        return _("published, to come") if terms.effective_on > today() else _("replaced")

    @admin.display(description=_("sent"))
    def progress(self, terms: Terms) -> str:
        if terms.message is None:
            return NOTHING
        return f"{terms.message.sent:,} / {terms.message.recipients:,}"

    @admin.display(description=_("notice"))
    def notice(self, terms: Terms) -> str | SafeString:
        """The Message that told of the change, linked where the mail admin knows it."""
        if terms.message is None:
            return NOTHING
        text = f"{terms.message} ({self.progress(terms)})"
        url = message_url(terms)
        return format_html('<a href="{}">{}</a>', url, text) if url else text


def message_url(terms: Terms) -> str:
    """The page of the notice in the mail admin, or nothing."""
    try:
        return reverse("admin:mail_message_change", args=[terms.message_id])
    except NoReverseMatch:
        return ""
