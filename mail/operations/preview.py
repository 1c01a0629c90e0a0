"""Preview: what people may see of a mail's content."""

from datetime import timedelta

from mail.content.template import CompiledTemplate
from mail.models import Delivery, Message


def is_secret(message: Message) -> bool:
    """Whether only the recipient may see the content: its kind is erased once sent.

    A password-reset link shown to staff would let them take over the account it is for.
    """
    return message.keep_for == timedelta(0)


def is_readable(message: Message) -> bool:
    """Whether there is content to show: it is neither secret nor erased."""
    return message.erased_at is None and not is_secret(message)


def sample(message: Message) -> bytes:
    """The mail as it left; for a broadcast, the copy of a recipient named `{name}`."""
    if not message.personal:
        return bytes(message.mime)
    return CompiledTemplate(bytes(message.mime)).render(
        name="{name}",
        address="recipient@example.invalid",
        message_id=f"<{message.uuid}.0@{message.message_id_domain}>",
    )


def exact(delivery: Delivery) -> bytes:
    """This recipient's copy, byte for byte as the server gets it."""
    message = delivery.message
    if not message.personal:
        return bytes(message.mime)
    return CompiledTemplate(bytes(message.mime)).render(
        name=delivery.name, address=delivery.address, message_id=delivery.message_id_header
    )
