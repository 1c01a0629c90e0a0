"""History in the admin: rows that people read and steer, and never add, edit or delete."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property

from mail.operations import access

SHOWN = 10  # rows named in a question


@dataclass(frozen=True)
class Button:
    """An action of the list, offered on the page of one object."""

    action: str
    label: Any


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts this far and no further: nobody pages through a million rows, they search."""

    most = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.most].count())


class Unwritable:
    """For an admin or an inline whose rows nobody writes by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class HistoryAdmin(Unwritable, admin.ModelAdmin):  # type: ignore[type-arg]
    """A list and a page to read. What may be done is an action with the permission `steer`."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    ordering = ("-pk",)
    sortable_by = ()  # a list of millions is sorted by nothing but its index

    class Media:
        css = {"all": ("mail/admin.css",)}

    def has_steer_permission(self, request: HttpRequest) -> bool:
        """What actions ask for: the model's change permission, in its only use."""
        user: Any = request.user
        return bool(user.has_perm(f"mail.change_{self.opts.model_name}"))

    def buttons(self, obj: Any) -> list[Button]:
        """The actions that make sense for this object now."""
        return []

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        obj = self.get_object(request, object_id)
        buttons = self.buttons(obj) if obj and self.has_steer_permission(request) else []
        context = {"buttons": buttons, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        """Go back to the page of the object if its button was pressed there."""
        response = super().response_action(request, queryset, *args, **kwargs)
        if isinstance(response, HttpResponseRedirect) and "on_page" in request.POST:
            page = f"admin:mail_{self.opts.model_name}_change"
            return HttpResponseRedirect(reverse(page, args=[request.POST[ACTION_CHECKBOX_NAME]]))
        return response


class SharedHistoryAdmin(HistoryAdmin):
    """For what concerns sellers: their staff need no permission of Django's, and see their own."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever the admin lets in; which rows those are, the queryset says."""
        return True

    def has_steer_permission(self, request: HttpRequest) -> bool:
        return access.may_steer(request.user)


class ReasonForm(forms.Form):
    """Why a person does it."""

    reason = forms.CharField(max_length=500, widget=forms.Textarea(attrs={"rows": 3}))


def ask(
    model_admin: HistoryAdmin,
    request: HttpRequest,
    rows: QuerySet[Any],
    *,
    action: str,
    question: Any,
    form: forms.Form | None = None,
) -> TemplateResponse:
    """The page that asks before an action is done to rows; it posts the action again, with `sure`."""
    shown = list(rows[: SHOWN + 1])
    context = {
        **model_admin.admin_site.each_context(request),
        "title": question,
        "opts": model_admin.opts,
        "action": action,
        "rows": shown[:SHOWN],
        "more": len(shown) > SHOWN,
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        "on_page": "on_page" in request.POST,
        "form": form,
        "action_checkbox_name": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/mail/ask.html", context)
