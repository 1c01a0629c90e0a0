"""What a connection is handed, what it asks of the worker that uses it, and what it is."""

from dataclasses import dataclass
from typing import Protocol

from mail.transport.replies import Reply


class OutOfTime(Exception):
    """This process must end and can wait no longer."""

    def __init__(self) -> None:
        super().__init__("the worker had to end before the server replied")


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """Sender and recipient of MAIL and RCPT, and the content with CRLF line ends."""

    sender: str
    recipient: str
    content: bytes


class Callbacks(Protocol):
    """What a connection asks of the worker while it delivers one mail, in this order.

    Whatever one of these raises before the end of data stops the mail, unsent; the connection is
    dropped and the exception passes through.
    """

    def prepare_end_of_data(self) -> Envelope | None:
        """Called once the server has agreed to the content and only its last octets are missing.

        Begins the checkpoint that `before_end_of_data` completes. Returns the mail that most
        likely comes next: a connection that can may announce it in the same write. A connection
        that writes no content itself does not call it.
        """

    def before_end_of_data(self) -> None:
        """Called right before the octets that end the data; may be called again.

        Completes the checkpoint. Raises LeaseLost when the mail must not leave.
        """

    def while_waiting(self) -> None:
        """Called every second while the server is silent. Raises OutOfTime.

        After the end of data, OutOfTime means that nobody will know what became of the mail.
        """


class NoCallbacks:
    """For a connection that is opened before anything is claimed."""

    def prepare_end_of_data(self) -> Envelope | None:
        return None

    def before_end_of_data(self) -> None:
        """Nothing to complete."""

    def while_waiting(self) -> None:
        """No lease to renew."""


NO_CALLBACKS = NoCallbacks()


class Connection(Protocol):
    """One connection to wherever mail goes next. It is kept between mails and Batches."""

    def open(self, callbacks: Callbacks = ...) -> Reply | None:
        """Connect unless connected; the Reply is None when all is well, else what was wrong."""

    def deliver(self, envelope: Envelope, callbacks: Callbacks) -> Reply:
        """Offer one mail and return the reply that decides; raises only what a callback raises."""

    def withdraw(self) -> None:
        """The mail that was announced as the following one is not delivered after all."""

    def close(self) -> None:
        """Say QUIT if possible; nothing that happens here changes an outcome."""
