"""Transports in the admin: whether a lane sends, and the actions to hold and release it."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mail.admin.history import Button, HistoryAdmin, ReasonForm, ask
from mail.models import Transport
from mail.models.transport import TransportQuerySet
from mail.operations import actions


@admin.register(Transport)
class TransportAdmin(HistoryAdmin):
    """One row per lane."""

    list_display = ("lane", "state", "reason", "held_by", "pace", "day_count")
    ordering = ("-lane",)
    actions = ("hold", "release")
    fields = ("lane", "state", "reason", "held_by", "pace", "day", "day_count")

    def buttons(self, obj: Transport) -> list[Button]:
        if _is_held(obj):
            return [Button("release", _("Send again"))]
        return [Button("hold", _("Stop sending…"))]

    @admin.action(description=gettext_lazy("Stop sending…"), permissions=["steer"])
    def hold(self, request: HttpRequest, queryset: TransportQuerySet) -> HttpResponse | None:
        form = ReasonForm(request.POST if "sure" in request.POST else None)
        if not form.is_valid():
            question = _("Stop sending until somebody releases it?")
            return ask(self, request, queryset, action="hold", question=question, form=form)
        actions.stop_sending(queryset, reason=form.cleaned_data["reason"], by=request.user)
        self.message_user(request, _("Stopped. Mails already being sent will be finished."))
        return None

    @admin.action(description=gettext_lazy("Send again"), permissions=["steer"])
    def release(self, request: HttpRequest, queryset: TransportQuerySet) -> None:
        actions.resume_sending(queryset, by=request.user)
        self.message_user(request, _("Sending again."))

    @admin.display(description=gettext_lazy("state"))
    def state(self, transport: Transport) -> str:
        if not _is_held(transport) or transport.held_until is None:
            return _("sends")
        if transport.held_until >= actions.FAR:
            return _("stopped until released")
        until = date_format(timezone.localtime(transport.held_until), "DATETIME_FORMAT")
        return _("held until %(time)s") % {"time": until}

    @admin.display(description=gettext_lazy("pace"))
    def pace(self, transport: Transport) -> str:
        return _("%(pace).1f ms per mail") % {"pace": transport.ms_per_mail}


def _is_held(transport: Transport) -> bool:
    return transport.held_until is not None and transport.held_until > timezone.now()
