"""Session: a connection to an SMTP server, greeted, secured and logged in.

smtplib does what comes before the first mail. What comes after is in `mail.transport.smtp`,
because smtplib does not tell in which phase a connection was lost.
"""

import contextlib
import smtplib
import socket
import ssl

from django.core.mail.utils import DNS_NAME

from mail.conf.smtp_server import SmtpServer
from mail.transport.base import Callbacks, Envelope
from mail.transport.replies import Phase, Reply
from mail.transport.wire import ConnectionLost, Wire

# A peer that vanished is noticed within a minute, though a reply to the end of data may take ten.
# The names are those of Linux and do not exist everywhere.
SOCKET_OPTIONS = [
    (
        socket.IPPROTO_TCP,
        "TCP_NODELAY",
        1,
    ),  # else an end of data that leaves alone waits for an ACK
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 20),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 10),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 4),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 60_000),
]
CONNECT_PATIENCE = 10.0  # seconds for the connection, and for each reply before the first mail


class NotOpened(Exception):
    """The server cannot be used now; `reply` says in which phase and what it said."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


class Session:
    """An open SMTP session, and which extensions the server offered (RFC 5321 §4.1.1.1)."""

    def __init__(self, smtp: smtplib.SMTP) -> None:
        assert smtp.sock is not None  # noqa: S101
        for level, name, value in SOCKET_OPTIONS:
            if hasattr(socket, name):
                smtp.sock.setsockopt(level, getattr(socket, name), value)
        self.smtp = smtp
        self.wire = Wire(smtp.sock)
        self.has_pipelining = smtp.has_extn("pipelining")
        self.has_8bitmime = smtp.has_extn("8bitmime")
        self.has_size = smtp.has_extn("size")
        self.mails = 0
        """How many mails were begun in it."""

    @classmethod
    def open(cls, server: SmtpServer, callbacks: Callbacks) -> "Session":
        """Connect, greet, secure and log in; the lease is renewed before each. Raises NotOpened."""
        phase = Phase.CONNECT
        smtp: smtplib.SMTP | None = None
        try:
            smtp = _connected(server)
            phase = Phase.EHLO
            callbacks.while_waiting()
            smtp.ehlo_or_helo_if_needed()
            if server.starttls:
                phase = Phase.STARTTLS
                callbacks.while_waiting()
                smtp.starttls(context=ssl.create_default_context())
                smtp.ehlo_or_helo_if_needed()
            if server.user:
                phase = Phase.AUTH
                callbacks.while_waiting()
                smtp.login(server.user, server.password)
            return cls(smtp)
        except BaseException as error:
            if smtp is not None:
                smtp.close()
            raise _not_opened(server, phase, error) from error

    def envelope_commands(self, envelope: Envelope) -> list[bytes]:
        """MAIL, RCPT and DATA for one mail, each with its CRLF."""
        options = f" SIZE={len(envelope.content)}" if self.has_size else ""
        if self.has_8bitmime and not envelope.content.isascii():
            options += " BODY=8BITMIME"
        return [
            f"MAIL FROM:<{envelope.sender}>{options}\r\n".encode(),
            f"RCPT TO:<{envelope.recipient}>\r\n".encode(),
            b"DATA\r\n",
        ]

    def quit(self) -> None:
        """Say QUIT and close; the reply changes nothing."""
        with contextlib.suppress(ConnectionLost):
            self.wire.send(b"QUIT\r\n", patience=1)
            self.wire.read_reply(patience=1)
        self.drop()

    def drop(self) -> None:
        """Close the socket without QUIT."""
        with contextlib.suppress(OSError):
            self.smtp.close()


def _connected(server: SmtpServer) -> smtplib.SMTP:
    """A greeted connection. The host goes to the constructor, which keeps it for TLS to check."""
    address, name = (server.host, server.port), DNS_NAME.get_fqdn()
    if server.implicit_tls:
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(
            *address, timeout=CONNECT_PATIENCE, local_hostname=name, context=context
        )
    return smtplib.SMTP(*address, timeout=CONNECT_PATIENCE, local_hostname=name)


def _not_opened(server: SmtpServer, phase: Phase, error: BaseException) -> BaseException:
    """What an error means for whoever wanted the session: NotOpened, or the error itself."""
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        code, text = error.smtp_code, " ".join(text.split())
    elif isinstance(error, OSError | smtplib.SMTPException | UnicodeError):
        code, text = None, f"{type(error).__name__}: {error}"
    else:
        return error
    return NotOpened(Reply.parse(phase, code, text, host=server.place))
