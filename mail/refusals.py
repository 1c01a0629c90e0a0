"""Refusals: when what a server says of one mail stops all the mails of its Message.

A content that is too large for one recipient is for all; a sender whom the server does not trust
with one mail it will hardly trust with the rest, and each try costs reputation. So the Message is
paused, for a person to look at, before a million mails have failed one by one.
"""

import threading
from collections import deque

from mail.models import Message
from mail.retry import Answer, Outcome, Scope, Verdict

LOOK_BACK = 200  # mails of a Message, in this slot
SHARE = 0.05
MESSAGES = 100  # whose mails are remembered


class Refusals(threading.local):
    """What this slot's servers said lately about the senders of Messages."""

    def __init__(self) -> None:
        self.lately: dict[int, deque[bool]] = {}

    def stop(self, message: Message, verdict: Verdict, answer: Answer) -> str:
        """Count one answer; return why its Message must stop, or nothing.

        A refusal of the content stops it at once, refusals of the sender when they are more than
        SHARE of the last LOOK_BACK mails. A mail to one recipient stops by itself.
        """
        if message.recipients <= 1 and not message.personal:
            return ""
        refused = verdict.outcome is Outcome.FAILED
        of_sender = refused and verdict.scope is Scope.SENDER
        if refused and verdict.scope is Scope.MESSAGE:
            return _said(answer)
        lately = self.lately.setdefault(message.pk, deque(maxlen=LOOK_BACK))
        lately.append(of_sender)
        if of_sender and sum(lately) > LOOK_BACK * SHARE:
            del self.lately[message.pk]  # whoever resumes it begins afresh
            return _said(answer)
        if len(self.lately) > MESSAGES:
            del self.lately[next(iter(self.lately))]
        return ""


def _said(answer: Answer) -> str:
    return " ".join(
        filter(None, (str(answer.phase), str(answer.code), answer.enhanced, answer.text))
    )
