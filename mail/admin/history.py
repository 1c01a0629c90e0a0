"""History in the admin: rows that people read and act on, but never add, edit or delete."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import quote
from django.contrib.auth import get_permission_codename
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from mail.admin.long_list import LongListAdmin
from mail.operations import access

SHOWN = 10  # rows named on a confirmation page


@dataclass(frozen=True)
class Button:
    """An action of the list, offered on the page of one object."""

    action: str
    label: Any


class Unwritable:
    """An admin or inline whose rows are never edited by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class HistoryAdmin(Unwritable, LongListAdmin):
    """A read-only list and page. Whatever can be done is an action with the permission `steer`.

    Any app may subclass it: permissions, URLs and templates are those of its own model.
    """

    ordering = ("-pk",)
    change_form_template = "admin/history/change_form.html"

    class Media:
        css = {"all": ("mail/admin.css",)}

    def has_steer_permission(self, request: HttpRequest) -> bool:
        """What actions require: the model's change permission, which nothing else uses."""
        user: Any = request.user
        codename = get_permission_codename("change", self.opts)
        return bool(user.has_perm(f"{self.opts.app_label}.{codename}"))

    def buttons(self, obj: Any) -> list[Button]:
        """The actions that apply to this object now."""
        return []

    def title_of(self, obj: Any) -> str:
        """How a confirmation page names an object."""
        return str(obj)

    def url_of(self, view: str, *args: Any) -> str:
        """The URL of a view of this admin, such as `changelist`, or `change` with a key."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_{view}"
        return reverse(name, args=[quote(arg) for arg in args], current_app=self.admin_site.name)

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
            return HttpResponseRedirect(self.url_of("change", request.POST[ACTION_CHECKBOX_NAME]))
        return response


class SharedHistoryAdmin(HistoryAdmin):
    """For rows that sellers' staff may see too: without Django permissions they see their own."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Everybody in the admin; the queryset limits the rows they see."""
        return True

    def has_steer_permission(self, request: HttpRequest) -> bool:
        return access.may_steer(request.user)


class ReasonForm(forms.Form):
    """Why a person takes an action."""

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
    """The page that confirms an action on rows; it posts the action again, with `sure`."""
    shown = list(rows[: SHOWN + 1])
    on_page = "on_page" in request.POST
    selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
    back = ("change", selected[0]) if on_page else ("changelist",)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": question,
        "opts": model_admin.opts,
        "action": action,
        "rows": [model_admin.title_of(row) for row in shown[:SHOWN]],
        "more": len(shown) > SHOWN,
        "selected": selected,
        "select_across": request.POST.get("select_across", "0"),
        "on_page": on_page,
        "back": model_admin.url_of(*back),
        "form": form,
        "action_checkbox_name": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/history/ask.html", context)
