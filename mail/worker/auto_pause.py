"""Refusals: when what a server says of one mail stops all the mails of its Message.

A content that is too large for one recipient is for all; a sender whom the server does not trust
with one mail it will hardly trust with the rest, and each try costs reputation. So the Message is
paused, for a person to look at, before a million mails have failed one by one.
"""

import threading
from collections import Counter, deque

from mail.models import Message
from mail.transport.replies import Answer, Outcome, Scope, Verdict

LOOK_BACK = 200  # mails of a Message, in this slot
SHARE = 0.05
MESSAGES = 100  # whose mails are remembered


class Refusals(threading.local):
    """What this slot's servers said lately about the senders of Messages."""

    def __init__(self) -> None:
        self.mails: Counter[int] = Counter()
        """How many mails of each Message were offered."""
        self.refused: dict[int, deque[int]] = {}
        """Which of them were refused for their sender."""

    def stop(self, message: Message, verdict: Verdict, answer: Answer) -> str:
        """Count one answer; return why its Message must stop, or nothing.

        A refusal of the content stops it at once, refusals of the sender when they are more than
        SHARE of the last LOOK_BACK mails. A mail to one recipient stops by itself.
        """
        if not message.personal and message.recipients <= 1:
            return ""
        if message.pk not in self.mails and len(self.mails) >= MESSAGES:
            self._forget(next(iter(self.mails)))
        self.mails[message.pk] += 1
        if verdict.outcome is not Outcome.FAILED:
            return ""
        if verdict.scope is Scope.MESSAGE:
            return _said(answer)
        if verdict.scope is Scope.SENDER and self._refuse(message.pk) > LOOK_BACK * SHARE:
            self._forget(message.pk)  # whoever resumes it begins afresh
            return _said(answer)
        return ""

    def _refuse(self, message_id: int) -> int:
        """Note that the sender of the last mail was refused; return how often that was lately."""
        number = self.mails[message_id]
        lately = self.refused.setdefault(message_id, deque())
        lately.append(number)
        while lately[0] <= number - LOOK_BACK:
            lately.popleft()
        return len(lately)

    def _forget(self, message_id: int) -> None:
        del self.mails[message_id]
        self.refused.pop(message_id, None)


def _said(answer: Answer) -> str:
    return " ".join(
        filter(None, (str(answer.phase), str(answer.code), answer.enhanced, answer.text))
    )
