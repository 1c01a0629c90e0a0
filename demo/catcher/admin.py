"""The inbox: the caught mails as a page of the admin."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from demo.catcher import inbox, reading
from demo.catcher.models import CapturedMail, FaultRules

RULES = [
    ("bounce+550-5.1.1@…", _("always refuses the recipient with that code")),
    (
        "defer+451@…",
        _("replies with that code to the first 2 attempts, then accepts; +5: 5 attempts"),
    ),
    ("slow+421@…", _("the same, then disconnects: the server itself is busy")),
    ("drop@…", _("the first time, disconnects after the mail without a reply and drops it")),
    ("drop+kept@…", _("the same, but keeps the mail; the sender cannot know")),
    ("late+3@…", _("replies 3 seconds after the mail")),
]
TABS = {"html": "HTML", "text": _("Text"), "headers": _("Headers"), "source": _("Source")}
SOURCE_SHOWN = 200_000


@admin.register(CapturedMail)
class Inbox(admin.ModelAdmin):  # type: ignore[type-arg]  # only in its stubs
    """Newest first, searched by recipient or subject; nothing in it can be edited."""

    actions = None
    list_display = ["shown_subject", "recipient", "shown_moment", "shown_size"]
    search_fields = ["recipient", "subject"]
    search_help_text = _("Recipient or subject")
    list_per_page = 50
    change_list_template = "admin/catcher/capturedmail/inbox.html"

    @admin.display(description=_("subject"), ordering="subject")
    def shown_subject(self, mail: CapturedMail) -> str:
        return str(mail)

    @admin.display(description=_("received at"), ordering="pk")
    def shown_moment(self, mail: CapturedMail) -> str:
        return f"{localtime(mail.received_at):%m-%d %H:%M:%S}"

    @admin.display(description=_("size"), ordering="size")
    def shown_size(self, mail: CapturedMail) -> str:
        return filesizeformat(mail.size)

    def get_queryset(self, request: HttpRequest) -> QuerySet[CapturedMail]:
        return super().get_queryset(request).defer("raw")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        def own(route: str, view: Any, name: str) -> URLPattern:
            guarded: Any = self.admin_site.admin_view(view)
            url: URLPattern = path(route, guarded, name=f"catcher_capturedmail_{name}")
            return url

        return [
            own("inbox.json", inbox.listed, "listed"),
            own("<int:pk>/body.html", inbox.html_body, "html"),
            own("<int:pk>/mail.eml", inbox.source, "source"),
            own("clear/", require_POST(self.clear), "clear"),
            own("rules/", require_POST(self.switch_rules), "rules"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "title": _("Inbox"),
            "rules": RULES,
            "rules_followed": FaultRules.are_followed(),
            "can_clear": self.has_delete_permission(request),
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one mail."""
        mail = self.get_object(request, object_id)
        if mail is None or not self.has_view_permission(request, mail):
            return HttpResponseRedirect(reverse("admin:catcher_capturedmail_changelist"))
        said = reading.read(bytes(mail.raw))
        tab = request.GET.get("show", "html" if said.html else "text")
        context = {
            **self.admin_site.each_context(request),
            "title": mail,
            "opts": self.opts,
            "mail": mail,
            "said": said,
            "tab": tab,
            "tabs": TABS if said.html else {key: TABS[key] for key in TABS if key != "html"},
            "source": bytes(mail.raw)[:SOURCE_SHOWN].decode("utf-8", "replace"),
            "newer": CapturedMail.objects.filter(pk__gt=mail.pk).order_by("pk").first(),
            "older": CapturedMail.objects.filter(pk__lt=mail.pk).order_by("-pk").first(),
        }
        return TemplateResponse(request, "admin/catcher/capturedmail/mail.html", context)

    def clear(self, request: HttpRequest) -> HttpResponse:
        """Delete every caught mail."""
        if self.has_delete_permission(request):
            count = CapturedMail.objects.all().delete()[0]
            messages.success(request, _("%d mails deleted.") % count)
        return HttpResponseRedirect(reverse("admin:catcher_capturedmail_changelist"))

    def switch_rules(self, request: HttpRequest) -> HttpResponse:
        """Switch the fault rules on or off: `followed` is `on` or `off`."""
        if self.has_delete_permission(request):
            FaultRules.follow(request.POST.get("followed") == "on")
        return HttpResponseRedirect(reverse("admin:catcher_capturedmail_changelist"))
