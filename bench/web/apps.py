"""BENCH_RECEIPTS says what a completed payment does about its receipt.

`nothing`: no mail is made or recorded; the payment names a Message that was there before, so that
its row and the answer stay the same. `synchronous`: the mail is made and handed to the SMTP
server in the request, as before there was an outbox.
"""

import os
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage

APART = 1_000_000_000
"""Between a payment's id and that of the Message which stands in for its receipt."""


class WebConfig(AppConfig):
    name = "bench.web"

    def ready(self) -> None:
        """Replace the outbox by the stand-in, unseen by the shop."""
        from payment import mails, services

        replaced: dict[str, Any] = {}
        match os.environ["BENCH_RECEIPTS"]:
            case "nothing":
                made = SimpleNamespace(receipt=lambda payment: None, RECEIPT=mails.RECEIPT)
                replaced = {"mails": made, "outbox": SimpleNamespace(send=_stand_in)}
            case "synchronous":
                replaced = {"outbox": SimpleNamespace(send=_send_now)}
        for name, stand_in in replaced.items():
            if not hasattr(services, name):
                raise ImproperlyConfigured(f"payment.services has no {name} to replace")
            setattr(services, name, stand_in)


def _stand_in(_: EmailMessage | None, *, params: Mapping[str, Any], **__: Any) -> Any:
    from mail.models import Message

    return Message(pk=APART + params["payment"], queued=1)


def _send_now(email: EmailMessage, *, params: Mapping[str, Any], **_: Any) -> Any:
    from django.core.mail.backends.smtp import EmailBackend

    EmailBackend(host=settings.EMAIL_HOST, port=settings.EMAIL_PORT).send_messages([email])
    return _stand_in(None, params=params)
