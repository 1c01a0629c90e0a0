"""Django's own backend, one connection for all (Django's documentation, "Sending multiple emails")."""

from django.core.mail import get_connection

from bench.contenders import notice


def send(count: int) -> None:
    with get_connection() as connection:
        for recipient in notice.recipients(count):
            connection.send_messages([notice.mail(recipient)])


ORDERS = notice.orders(send)
