"""fastapi-mail set up for the sink, and the notice as one of its messages."""

import os

from fastapi_mail import (
    ConnectionConfig,
    FastMail,
    MessageSchema,
    MessageType,
    MultipartSubtypeEnum,
)
from jinja2 import Template

from bench.contenders.notice import NOTICE, Recipient

MAILS = FastMail(
    ConnectionConfig(
        MAIL_USERNAME="",
        MAIL_PASSWORD="",
        MAIL_FROM="no-reply@moa.example",
        MAIL_SERVER="127.0.0.1",
        MAIL_PORT=int(os.environ["SMTP_PORT"]),
        MAIL_STARTTLS=False,
        MAIL_SSL_TLS=False,
        USE_CREDENTIALS=False,
        VALIDATE_CERTS=False,
    )
)
TEXT, HTML = (
    Template(NOTICE[part].replace("{name}", "{{ name }}").replace("{address}", "{{ address }}"))
    for part in ("text", "html")
)


def message(recipient: Recipient) -> MessageSchema:
    """The notice for a recipient."""
    context = recipient._asdict()
    return MessageSchema(
        subject=NOTICE["subject"],
        recipients=[recipient.address],
        body=HTML.render(context),
        alternative_body=TEXT.render(context),
        subtype=MessageType.html,
        multipart_subtype=MultipartSubtypeEnum.alternative,
    )
