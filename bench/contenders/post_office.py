"""django-post-office: send_many(), then `send_queued_mail` with two processes."""

from django.core.management import call_command
from post_office import mail

from bench.contenders import notice


def send(count: int) -> None:
    mail.send_many([keywords(recipient) for recipient in notice.recipients(count)])
    call_command("send_queued_mail", processes=2, log_level=0)


def keywords(recipient: notice.Recipient) -> dict[str, object]:
    text, html = notice.bodies(recipient)
    return {
        "recipients": [recipient.address],
        "sender": notice.NOTICE["from_email"],
        "subject": notice.NOTICE["subject"],
        "message": text,
        "html_message": html,
    }


ORDERS = notice.orders(send)
