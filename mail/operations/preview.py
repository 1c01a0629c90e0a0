"""Reading: what people may see of a mail's content."""

from datetime import timedelta

from mail.content.template import CompiledTemplate
from mail.models import Delivery, Message


def is_secret(message: Message) -> bool:
    """Whether the content is for its recipient alone: a kind that is erased once sent.

    A password-reset link shown to staff would let them take over the account it is for.
    """
    return message.keep_for == timedelta(0)


def is_readable(message: Message) -> bool:
    """Whether there is content to show: it is neither secret nor erased."""
    return message.erased_at is None and not is_secret(message)


def sample(message: Message) -> bytes:
    """The mail as it left; of a broadcast, the one to a recipient called {name}."""
    if not message.personal:
        return bytes(message.mime)
    return CompiledTemplate(bytes(message.mime)).render(
        name="{name}",
        address="recipient@example.invalid",
        message_id=f"<{message.uuid}.0@{message.message_id_domain}>",
    )


def exact(delivery: Delivery) -> bytes:
    """The mail of this recipient, byte by byte as it is offered to the server."""
    message = delivery.message
    if not message.personal:
        return bytes(message.mime)
    return CompiledTemplate(bytes(message.mime)).render(
        name=delivery.name, address=delivery.address, message_id=delivery.message_id_header
    )
