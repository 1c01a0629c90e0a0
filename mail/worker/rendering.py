"""Rendering: the mail that leaves for each Delivery of a claimed Batch.

A broadcast is read once and filled for each recipient; mails with a content of their own are read
a few at a time, so that a Batch of large ones is never in memory as a whole.
"""

from itertools import dropwhile

from mail.conf import settings
from mail.content.template import CompiledTemplate
from mail.models import Message
from mail.transport.base import Envelope
from mail.worker.claims import Claim, ClaimedDelivery
from mail.worker.slot import LastTemplate

READ_AHEAD = 1_000_000  # octets of content


class ContentErased(LookupError):
    """The content was erased when its retention time was over; nothing is left to send."""


class Renderer:
    """Renders the mails of one claim."""

    def __init__(self, claim: Claim, last_template: LastTemplate) -> None:
        self.claim = claim
        self.last_template = last_template
        self.templates: dict[int, CompiledTemplate] = {}
        self.contents: dict[int, bytes] = {}
        self.redirect_to = settings.MAIL_REDIRECT_TO

    def render(self, delivery: ClaimedDelivery) -> Envelope:
        """The mail of one recipient.

        Raises ContentErased, and ValueError for a name that no header can carry.
        """
        message = self.claim.messages[delivery.message_id]
        return Envelope(
            sender=message.envelope_from,
            recipient=self.redirect_to or delivery.address,
            content=self._content(message, delivery),
        )

    def _content(self, message: Message, delivery: ClaimedDelivery) -> bytes:
        if not message.personal:
            return self._stored(message)
        template = self.templates.get(message.pk) or self._template(message)
        before, after = message.message_id_around
        return template.render(
            name=delivery.name,
            address=delivery.address,
            message_id=f"{before}{delivery.pk}{after}",
        )

    def _template(self, message: Message) -> CompiledTemplate:
        kept = None if message.erased_at else self.last_template.get(message.uuid)
        self.templates[message.pk] = kept or self._compile(message)
        return self.templates[message.pk]

    def _compile(self, message: Message) -> CompiledTemplate:
        stored = self._stored(message)
        template = CompiledTemplate(stored)
        if len(stored) <= READ_AHEAD:
            self.last_template.keep(message.uuid, template)
        return template

    def _stored(self, message: Message) -> bytes:
        if message.pk not in self.contents:
            self.contents = self._read(message)
        if not self.contents[message.pk]:
            raise ContentErased
        return self.contents[message.pk]

    def _read(self, message: Message) -> dict[int, bytes]:
        """The content of a Message and of those that come next, up to READ_AHEAD octets."""
        pks, room = [message.pk], READ_AHEAD
        for following in dropwhile(lambda pk: pk != message.pk, self.claim.messages):
            room -= self.claim.messages[following].octets
            if room < 0:
                break
            pks.append(following)
        found = Message.objects.filter(pk__among=pks).values_list("pk", "mime")
        return {pk: bytes(mime) for pk, mime in found}
