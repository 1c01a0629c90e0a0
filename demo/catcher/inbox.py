"""The inbox's other views: the list as JSON, an HTML body, a mail's source."""

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404

from demo.catcher import reading
from demo.catcher.models import CapturedMail

MOST = 1000

# Untrusted content: no scripts, no forms, no navigation, nothing loaded.
STRICT = (
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "form-action 'none'; frame-ancestors 'self'"
)


def listed(request: HttpRequest) -> HttpResponse:
    """At most `limit` caught mails that match `q`, oldest first, after the id `after`."""
    _check(request)
    found = CapturedMail.objects.filter(pk__gt=_number(request, "after", 0))
    if query := request.GET.get("q"):
        found = found.filter(Q(recipient__icontains=query) | Q(subject__icontains=query))
    fields = ("id", "received_at", "sender", "recipient", "subject", "size")
    mails = found.order_by("pk").values(*fields)[: min(_number(request, "limit", MOST), MOST)]
    newest = CapturedMail.objects.order_by("-pk").values_list("pk", flat=True).first()
    return JsonResponse({"newest": newest or 0, "mails": list(mails)})


def html_body(request: HttpRequest, pk: int) -> HttpResponse:
    """The HTML of a mail, for a sandboxed frame."""
    _check(request)
    response = HttpResponse(reading.read(_raw(pk)).html)
    response["Content-Security-Policy"] = STRICT
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response


def source(request: HttpRequest, pk: int) -> HttpResponse:
    """The bytes of a mail as received."""
    _check(request)
    disposition = f'attachment; filename="mail-{pk}.eml"'
    return HttpResponse(
        _raw(pk), content_type="message/rfc822", headers={"Content-Disposition": disposition}
    )


def _check(request: HttpRequest) -> None:
    if not request.user.has_perm("catcher.view_capturedmail"):
        raise PermissionDenied


def _raw(pk: int) -> bytes:
    return bytes(get_object_or_404(CapturedMail, pk=pk).raw)


def _number(request: HttpRequest, name: str, default: int) -> int:
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() else default
