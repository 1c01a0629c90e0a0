"""Django's own backend, a connection for each mail: what `send_mail` in a request does."""

from bench.contenders import notice


def send(count: int) -> None:
    for recipient in notice.recipients(count):
        notice.mail(recipient).send()


ORDERS = notice.orders(send)
