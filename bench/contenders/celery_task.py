"""One Celery task per mail, published with delay(): what most projects do."""

import time
from typing import Any

from celery import Celery

from bench.contenders import notice
from bench.contenders.notice import Recipient

app = Celery("celery_task")
app.config_from_object("django.conf:settings", namespace="CELERY")


@app.task  # type: ignore[untyped-decorator]
def deliver(address: str, name: str) -> None:
    notice.mail(Recipient(address, name)).send()


def send(count: int) -> dict[str, Any]:
    seconds = []
    for recipient in notice.recipients(count):
        began = time.perf_counter()
        deliver.delay(*recipient)
        seconds.append(time.perf_counter() - began)
    return {"seconds": seconds}


ORDERS = notice.orders(send)
