"""What a transport is handed, and what it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mail.transport.replies import Answer


class OutOfTime(Exception):
    """This process must end, and can wait no longer."""


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """Sender and recipient of MAIL and RCPT, and the content with CRLF line ends."""

    sender: str
    recipient: str
    content: bytes


Following = Callable[[], Envelope | None]
"""Makes the mail that comes next, if one does; never raises."""


def nobody() -> None:
    """No mail comes next."""


class Watch(Protocol):
    """How a transport tells its claim what it is about to do, and that it lives."""

    def dot_is_near(self) -> None:
        """Called as soon as nothing but this process can keep the dot from being written.

        What it begins takes its time while the following mail is made. What it raises stops the
        mail, unsent.
        """

    def before_dot(self) -> None:
        """Called right before the terminating dot; what it raises stops the mail, unsent."""

    def while_waiting(self) -> None:
        """Called every few seconds while a reply is awaited. Raises OutOfTime.

        Before the dot that stops the mail, unsent; after it, nobody will know.
        """


class Unwatched:
    """The watch of nobody: nothing is claimed yet."""

    def dot_is_near(self) -> None:
        """Nobody prepares for the dot."""

    def before_dot(self) -> None:
        """Nobody forbids the dot."""

    def while_waiting(self) -> None:
        """Nobody waits for a sign of life."""


UNWATCHED = Unwatched()


class Transport(Protocol):
    """One connection to wherever mail goes next. It is kept between mails and Batches."""

    def open(self, watch: Watch = ...) -> Answer | None:
        """Connect unless connected; the Answer is None when all is well, else what was wrong."""

    def deliver(self, envelope: Envelope, watch: Watch, following: Following = nobody) -> Answer:
        """Offer one mail and return the answer that decides its fate; never raises for one.

        `following` makes the mail that will most likely come next: a transport that can may
        announce it in the same write. What `watch` raises before the dot passes through, with the
        connection dropped.
        """

    def withdraw(self) -> None:
        """The mail that was announced as the following one does not come after all."""

    def close(self) -> None:
        """Leave politely if possible; nothing that happens here changes an outcome."""


TransportFactory = Callable[[], Transport]
