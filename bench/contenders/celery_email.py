"""django-celery-email: a list of messages becomes a task per chunk."""

from celery import Celery
from django.core.mail import get_connection

from bench.contenders import notice

PAGE = 1000  # so that the workers start while the rest is still rendered

app = Celery("celery_email")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def send(count: int) -> None:
    page = []
    for recipient in notice.recipients(count):
        page.append(notice.mail(recipient))
        if len(page) == PAGE:
            get_connection().send_messages(page)
            page = []
    get_connection().send_messages(page)


ORDERS = notice.orders(send)
