"""Copies: what leaves for each recipient of a claimed Batch.

A broadcast is read once and filled for each; mails with a content of their own are read a few at
a time, so that a Batch of large ones is never held in memory as a whole.
"""

from itertools import dropwhile
from uuid import UUID

from django.conf import settings

from mail.content.template import CompiledTemplate
from mail.models import Message
from mail.transport.base import Envelope
from mail.worker.claims import Bound, Claim

READ_AHEAD = 1_000_000  # octets of content


class ContentErased(LookupError):
    """The content was erased when its time was over; nothing is left to send."""


_latest: dict[UUID, CompiledTemplate] = {}
"""The broadcast this process sent last, which it most likely goes on with. Content never changes.

Once erased it is not sent any more; it is forgotten with the next broadcast or the process.
"""


class Copies:
    """The mails of one claim."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.skeletons: dict[int, CompiledTemplate] = {}
        self.contents: dict[int, bytes] = {}
        self.made: tuple[int, Envelope] | None = None
        self.redirect_to = settings.MAIL_REDIRECT_TO

    def of(self, delivery: Bound) -> Envelope:
        """The mail of one recipient; asked again right away, the very same.

        Raises ContentErased, and whatever is wrong with what fills it.
        """
        if self.made is None or self.made[0] != delivery.pk:
            self.made = delivery.pk, self._make(delivery)
        return self.made[1]

    def _make(self, delivery: Bound) -> Envelope:
        message = self.claim.messages[delivery.message_id]
        if message.personal:
            content = self._skeleton(message).render(
                name=delivery.name,
                address=delivery.address,
                message_id=message.message_id_for(delivery.pk),
            )
        else:
            content = self._stored(message)
        return Envelope(
            sender=message.envelope_from,
            recipient=self.redirect_to or delivery.address,
            content=content,
        )

    def _skeleton(self, message: Message) -> CompiledTemplate:
        if message.pk not in self.skeletons:
            self.skeletons[message.pk] = self._kept(message) or self._cut(message)
        return self.skeletons[message.pk]

    def _kept(self, message: Message) -> CompiledTemplate | None:
        return None if message.erased_at else _latest.get(message.uuid)

    def _cut(self, message: Message) -> CompiledTemplate:
        stored = self._stored(message)
        skeleton = CompiledTemplate(stored)
        if len(stored) <= READ_AHEAD:
            _latest.clear()
            _latest[message.uuid] = skeleton
        return skeleton

    def _stored(self, message: Message) -> bytes:
        if message.pk not in self.contents:
            self.contents = self._read(message)
        if not self.contents[message.pk]:
            raise ContentErased
        return self.contents[message.pk]

    def _read(self, message: Message) -> dict[int, bytes]:
        """The content of a Message and of those that come next, as far as READ_AHEAD goes."""
        pks, room = [message.pk], READ_AHEAD
        for following in dropwhile(lambda pk: pk != message.pk, self.claim.messages):
            room -= self.claim.messages[following].octets
            if room < 0:
                break
            pks.append(following)
        found = Message.objects.filter(pk__among=pks).values_list("pk", "mime")
        return {pk: bytes(mime) for pk, mime in found}
