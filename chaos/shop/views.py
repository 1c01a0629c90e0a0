"""A mail that must never arrive twice, recorded by a request."""

from django.core.mail import EmailMessage
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from mail import outbox
from mail.kinds import Kind, declare
from mail.models import Lane, OnUncertain

NOTE = declare(
    Kind(name="chaos.note", lane=Lane.TRANSACTIONAL, on_uncertain=OnUncertain.HOLD, keep_for=None)
)


@csrf_exempt
@require_POST
def note(request: HttpRequest) -> JsonResponse:
    """Record a note under `key` to `address`; the same key again names the same mail."""
    key, address = request.POST["key"], request.POST["address"]
    mail = EmailMessage(subject="쪽지", body=f"{key}\n", to=[address])
    message = outbox.send(mail, kind=NOTE, key=f"chaos:{key}", params={"key": key})
    return JsonResponse({"message": message.pk}, status=201)
