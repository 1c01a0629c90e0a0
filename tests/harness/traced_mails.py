"""The mails that `tests.harness.trace` follows: a receipt, and the notices of a broadcast."""

from datetime import datetime
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.core.mail import EmailMultiAlternatives
from django.core.management import call_command
from django.db.models import F, QuerySet
from django.test import override_settings

from mail import audiences, kinds, outbox
from mail.kinds import Kind
from mail.models import Batch, Broadcast, Delivery, Lane, Message
from mail.relay import dispatch
from mail.worker import batch_run, expansion
from mail.worker.slot import SLOT
from tests.harness.calls import Call, traced
from tests.harness.smtp import SmtpServer

NOTICE = kinds.declare(Kind(name="trace.notice", lane=Lane.BULK))


@audiences.declare("trace.users")
def users(*, moment: datetime) -> QuerySet[Any]:
    return User.objects.annotate(address=F("email"), name=F("username"))


class Legs:
    """Traces each step of a mail once."""

    def __init__(self) -> None:
        call_command("migrate", verbosity=0)

    def send(self) -> list[Call]:
        email = EmailMultiAlternatives(
            "영수증", "받았습니다.", "shop@moa.example", ["a@b.example"]
        )
        return traced(partial(outbox.send, email, kind=kinds.DJANGO, key="trace", params={"n": 1}))

    def bind(self) -> list[Call]:
        calls = traced(lambda: dispatch.bind(Lane.TRANSACTIONAL, 500))
        _clear()
        return calls

    def deliver_receipt(self, recipients: int) -> list[Call]:
        to = [f"user{number}@example.com" for number in range(recipients)]
        email = EmailMultiAlternatives("영수증", "받았습니다.", "shop@moa.example", to)
        outbox.send(email, kind=kinds.DJANGO)
        return self._deliver(Lane.TRANSACTIONAL)

    def deliver_notices(self, recipients: int) -> list[Call]:
        User.objects.all().delete()
        User.objects.bulk_create(
            User(username=f"김{number}", email=f"user{number}@example.com")
            for number in range(recipients)
        )
        text = f"{outbox.NAME}님, 약관이 바뀝니다.\n"
        email = EmailMultiAlternatives("약관이 바뀝니다", text, "shop@moa.example")
        email.attach_alternative(f"<p>{outbox.NAME}님, 약관이 바뀝니다.</p>", "text/html")
        message = outbox.broadcast(email, kind=NOTICE, audience="trace.users", params={})
        expansion.expand(message.pk, is_stopping=lambda: False)
        return self._deliver(Lane.BULK)

    def _deliver(self, lane: Lane) -> list[Call]:
        (batch,) = dispatch.bind(lane, 500)
        with SmtpServer() as server, override_settings(MAIL_TRANSPORTS=server.url):
            calls = traced(partial(batch_run.deliver, batch.pk, is_stopping=lambda: False))
            SLOT.close()
        assert not Delivery.objects.exclude(state="sent").exists()
        _clear()
        return calls


def _clear() -> None:
    for model in (Delivery, Batch, Broadcast, Message):
        model.objects.all().delete()
