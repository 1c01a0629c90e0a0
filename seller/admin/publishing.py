"""The page on which a draft is read once more, and published."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from mail.content.builder import InvalidMail
from seller import comparison, publishing, services, validators
from seller.admin.ownership import OwnRowsAdmin, person
from seller.models import Terms
from seller.preview import preview
from seller.publishing import PublishRefused


class PublishForm(forms.Form):
    override_reason = forms.CharField(
        label=_("reason for the shorter notice"),
        required=False,
        max_length=2_000,
        validators=[validators.text],
        widget=forms.Textarea(attrs={"rows": 3, "cols": 80}),
    )


class PublishView:
    """GET shows what would happen; POST does it, by the service that the API calls, too."""

    def __init__(self, model_admin: OwnRowsAdmin) -> None:
        self.model_admin = model_admin

    def __call__(self, request: HttpRequest, object_id: str) -> HttpResponse:
        terms = self.model_admin.get_object(request, unquote(object_id))
        if terms is None:
            raise Http404
        if not self.model_admin.has_change_permission(request):
            raise PermissionDenied
        form = PublishForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            self._publish(request, terms, form.cleaned_data["override_reason"])
            terms.refresh_from_db()
        if terms.is_published:
            return HttpResponseRedirect(reverse("admin:seller_terms_change", args=[terms.pk]))
        context = self.model_admin.admin_site.each_context(request) | _context(
            request, terms, form
        )
        return TemplateResponse(request, "admin/seller/terms/publish.html", context)

    def _publish(self, request: HttpRequest, terms: Terms, override_reason: str) -> None:
        try:
            services.publish_terms(
                terms=terms, by=person(request), override_reason=override_reason
            )
        except (PublishRefused, InvalidMail) as error:
            messages.error(request, str(error))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            self.model_admin.log_change(request, terms, "Published.")
            messages.success(request, _("The version is published. People are being told."))


def _context(request: HttpRequest, terms: Terms, form: PublishForm) -> dict[str, Any]:
    earliest = publishing.earliest(terms)
    return {
        "title": _("Publish terms"),
        "opts": Terms._meta,
        "terms": terms,
        "form": form,
        "rows": comparison.compare(terms.previous.body, terms.body) if terms.previous else [],
        "preview": preview(terms),
        "earliest": earliest,
        "is_short": terms.effective_on < earliest,
        "may_override": person(request).has_perm(publishing.OVERRIDE),
        "refusal": _refusal(terms),
    }


def _refusal(terms: Terms) -> str:
    try:
        publishing.check(terms)
    except PublishRefused as error:
        return str(error)
    except ValidationError as error:
        return " ".join(error.messages)
    return ""
