"""Scene: the state that the steps of the story share."""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, TypeVar
from urllib.parse import urlencode

from demo.sample import people
from demo.story.running import Running
from demo.story.visitor import Visitor

INBOX = "/admin/catcher/capturedmail/"
LOOK_EVERY = 0.25  # seconds
STILL = 2.0  # seconds without a change

Value = TypeVar("Value")


@dataclass
class Scene:
    """A running Moa, a visitor, and what later steps need."""

    moa: Running
    subscribers: int
    visitor: Visitor = field(init=False)
    product: dict[str, Any] = field(default_factory=dict)
    notice: str = ""
    """The URL of the first broadcast."""
    second_notice: str = ""
    payment: str = ""
    """The URL of the payment that was confirmed."""

    def __post_init__(self) -> None:
        self.visitor = Visitor(self.moa.site)
        addresses = [people.address(number) for number in range(self.subscribers)]
        self.refused = sum(address.startswith("bounce+") for address in addresses)
        self.deferred = sum(address.startswith("defer+") for address in addresses)

    def counts(self, message: str) -> dict[str, int]:
        """The nonzero counts of a Message's Deliveries by state."""
        counts: dict[str, int] = self.visitor.api(message)["counts"]
        return {state: count for state, count in counts.items() if count}

    def inbox(self, query: str) -> list[dict[str, Any]]:
        """The caught mails to an address or with a subject."""
        mails: list[dict[str, Any]] = []
        while True:
            asked = urlencode({"q": query, "after": mails[-1]["id"] if mails else 0})
            answer = self.visitor.get(f"{INBOX}inbox.json?{asked}").content
            if not (page := json.loads(answer)["mails"]):
                return mails
            mails += page

    def copies(self, message: str) -> Counter[int]:
        """How many addresses got a Message how many times."""
        subject = self.visitor.api(message)["subject"]
        times = Counter(mail["recipient"] for mail in self.inbox(subject))
        return Counter(times.values())

    def read(self, mail: dict[str, Any]) -> EmailMessage:
        """A caught mail, parsed."""
        source = self.visitor.get(f"{INBOX}{mail['id']}/mail.eml").content
        return message_from_bytes(source, policy=policy.default)


def body(mail: EmailMessage, subtype: str) -> str:
    """The text or the HTML of a mail."""
    part = mail.get_body((subtype,))
    return str(part.get_content()) if part else ""


def settle(read: Callable[[], Value], wanted: Value, *, seconds: float = 60) -> Value:
    """Poll until the value is as wanted or time is up; return the last value."""
    deadline = time.monotonic() + seconds
    while (seen := read()) != wanted and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
    return seen


def when_still(read: Callable[[], Value], *, seconds: float = 60) -> Value:
    """Poll until the value has not changed for a while; return it."""
    deadline = time.monotonic() + seconds
    seen, since = read(), time.monotonic()
    while time.monotonic() - since < STILL and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
        if (now := read()) != seen:
            seen, since = now, time.monotonic()
    return seen
