"""django-mailer: the backend queues in the database, `send_mail` sends what is queued."""

from django.core.mail import get_connection
from django.core.management import call_command

from bench.contenders import notice


def send(count: int) -> None:
    get_connection().send_messages([notice.mail(one) for one in notice.recipients(count)])
    call_command("send_mail")


ORDERS = notice.orders(send)
