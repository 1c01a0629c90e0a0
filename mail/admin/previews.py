"""Previews: the content of a mail, served so that nothing in it can run."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path

from mail.admin.history import HistoryAdmin
from mail.models import Message
from mail.operations import access, preview

CONTAINED = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)


def message_urls(model_admin: HistoryAdmin) -> list[URLPattern]:
    """The HTML of a Message in a page of its own, its source, and the stored bytes."""

    def message(request: HttpRequest, pk: int) -> Message:
        return _readable(get_object_or_404(access.visible_to(request.user), pk=pk))

    def html(request: HttpRequest, pk: int) -> HttpResponse:
        return _contained(HttpResponse(message(request, pk).html))

    def source(request: HttpRequest, pk: int) -> HttpResponse:
        return _download(preview.sample(message(request, pk)), f"message-{pk}.eml")

    def stored(request: HttpRequest, pk: int) -> HttpResponse:
        return _download(bytes(message(request, pk).mime), f"message-{pk}-stored.eml")

    wrap = model_admin.admin_site.admin_view
    return [
        path("<int:pk>/body.html", wrap(html), name="mail_message_html"),
        path("<int:pk>/source.eml", wrap(source), name="mail_message_source"),
        path("<int:pk>/stored.eml", wrap(stored), name="mail_message_stored"),
    ]


def delivery_urls(model_admin: HistoryAdmin) -> list[URLPattern]:
    """The mail exactly as one recipient gets it."""

    def exact(request: HttpRequest, pk: int) -> HttpResponse:
        visible = access.deliveries_visible_to(request.user)
        found = get_object_or_404(visible.select_related("message"), pk=pk)
        _readable(found.message)
        return _download(preview.exact(found), f"delivery-{pk}.eml")

    wrap = model_admin.admin_site.admin_view
    return [path("<int:pk>/mail.eml", wrap(exact), name="mail_delivery_source")]


def _readable(message: Message) -> Message:
    if not preview.is_readable(message):
        raise Http404("The content is secret or erased.")
    return message


def _contained(response: HttpResponse) -> HttpResponse:
    # Not with Django 6's `csp_override`: without Django's CSP middleware it does nothing, and what
    # the mail contains could run. The middleware keeps a header that is already set.
    response["Content-Security-Policy"] = CONTAINED
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response


def _download(mime: bytes, name: str) -> HttpResponse:
    response = HttpResponse(mime, content_type="message/rfc822")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return _contained(response)
