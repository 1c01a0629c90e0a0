"""Connections: those that one slot of a worker keeps open between its Batches."""

from mail.conf import settings
from mail.conf.transports import Backend, Destination
from mail.models import Lane
from mail.transport.backend import BackendConnection
from mail.transport.base import Connection
from mail.transport.smtp import SmtpConnection


class Connections:
    """One connection per server or backend; lanes with the same one share it."""

    def __init__(self) -> None:
        self.open: list[tuple[Destination, Connection]] = []

    def of(self, lane: Lane) -> Connection:
        """The connection that a lane's mail leaves through; it may not be open yet."""
        wanted = settings.MAIL_TRANSPORTS[lane]
        for destination, connection in self.open:
            if destination == wanted:
                return connection
        self.open.append((wanted, _new(wanted, lane)))
        return self.open[-1][1]

    def close(self) -> None:
        """Close them all."""
        while self.open:
            _, connection = self.open.pop()
            connection.close()


def _new(destination: Destination, lane: Lane) -> Connection:
    if isinstance(destination, Backend):
        return BackendConnection(destination.path, alias=lane.value, options=destination.options)
    return SmtpConnection(destination)
