"""Auto-pause: when a reply to one mail stops all the mails of its Message.

A content that is too large for one recipient is too large for all. A server that does not trust
the sender of one mail will hardly trust the others, and each try costs reputation. So the Message
is paused, for a person to look at, before all its mails have failed one by one.
"""

from collections import Counter, deque

from mail.models import Message
from mail.transport.classification import Outcome, Scope, Verdict
from mail.transport.replies import Reply

LOOK_BACK = 200  # mails of a Message, in this slot
SHARE = 0.05
MESSAGES = 100  # whose mails are remembered


class AutoPause:
    """What one slot was told lately about the senders of Messages."""

    def __init__(self) -> None:
        self.offered: Counter[int] = Counter()
        """How many mails of each Message were offered in earlier Batches."""
        self.refused: dict[int, deque[int]] = {}
        """The numbers of those that were refused for their sender."""

    def note(self, offered: Counter[int]) -> None:
        """Add the mails that a Batch has offered, by Message."""
        for message_id, mails in offered.items():
            if message_id not in self.offered and len(self.offered) >= MESSAGES:
                self._forget(next(iter(self.offered)))
            self.offered[message_id] += mails

    def reason(self, message: Message, verdict: Verdict, reply: Reply, *, offered: int) -> str:
        """Why the Message must stop after this reply, or nothing.

        `offered` counts its mails in this Batch so far. A refusal of the content stops it at
        once, refusals of the sender when they are more than SHARE of the last LOOK_BACK mails. A
        Message with one recipient needs no stopping.
        """
        if verdict.outcome is not Outcome.FAILED:
            return ""
        if not message.personal and message.recipients <= 1:
            return ""
        if verdict.scope is Scope.MESSAGE:
            return str(reply)
        if verdict.scope is Scope.SENDER:
            number = self.offered[message.pk] + offered
            if self._refusals(message.pk, number) > LOOK_BACK * SHARE:
                self._forget(message.pk)  # a person who resumes it begins at zero
                return str(reply)
        return ""

    def _refusals(self, message_id: int, number: int) -> int:
        """Note that the sender of the n-th mail was refused; return how often that was lately."""
        lately = self.refused.setdefault(message_id, deque())
        lately.append(number)
        while lately[0] <= number - LOOK_BACK:
            lately.popleft()
        return len(lately)

    def _forget(self, message_id: int) -> None:
        self.offered.pop(message_id, None)
        self.refused.pop(message_id, None)
