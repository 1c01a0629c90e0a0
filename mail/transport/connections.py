"""Connections: those that one slot of a worker keeps open between its Batches."""

from mail.conf import settings
from mail.conf.smtp_server import SmtpServer
from mail.models import Lane
from mail.transport.backend import BackendConnection
from mail.transport.base import Connection
from mail.transport.smtp import SmtpConnection


class Connections:
    """One connection per server or backend; lanes with the same one share it."""

    def __init__(self) -> None:
        self.open: dict[str | SmtpServer, Connection] = {}

    def of(self, lane: Lane) -> Connection:
        """The connection that a lane's mail leaves through; it may not be open yet."""
        destination = settings.MAIL_BACKEND or settings.MAIL_SERVERS[lane]
        if destination not in self.open:
            self.open[destination] = _new(destination)
        return self.open[destination]

    def close(self) -> None:
        """Close them all."""
        while self.open:
            _, connection = self.open.popitem()
            connection.close()


def _new(destination: str | SmtpServer) -> Connection:
    if isinstance(destination, str):
        return BackendConnection(destination)
    return SmtpConnection(destination)
