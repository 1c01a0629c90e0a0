"""FastAPI + fastapi-mail + Celery with async_to_sync: the design this project started from."""

from asgiref.sync import async_to_sync
from celery import Celery

from bench.contenders import notice
from bench.contenders.fastapi_mails import MAILS, message
from bench.contenders.notice import Recipient

app = Celery("fastapi_celery")
app.config_from_object("django.conf:settings", namespace="CELERY")


@app.task  # type: ignore[untyped-decorator]
def deliver(address: str, name: str) -> None:
    async_to_sync(MAILS.send_message)(message(Recipient(address, name)))


def send(count: int) -> None:
    for recipient in notice.recipients(count):
        deliver.delay(*recipient)


ORDERS = notice.orders(send)
