"""Session: a connection to an SMTP server, greeted, secured and logged in.

smtplib does what comes before the first mail; what comes after is spoken by `mail.transport.smtp`,
because smtplib does not tell in which phase a connection was lost.
"""

import contextlib
import smtplib
import socket
import ssl

from django.core.mail.utils import DNS_NAME

from mail.conf.smtp_server import SmtpServer
from mail.transport.base import Envelope, Watch
from mail.transport.replies import Answer, Phase
from mail.transport.wire import Dialogue, Lost

# A server that vanished without a word is given up within a minute, though a reply to a dot may
# take ten; the names are those of Linux and not everywhere.
SOCKET_OPTIONS = [
    (socket.IPPROTO_TCP, "TCP_NODELAY", 1),  # or a dot that leaves alone waits for a delayed ACK
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 20),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 10),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 4),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 60_000),
]
CONNECT_PATIENCE = 10.0  # seconds for the connection, and for each reply before the first mail


class NotOpened(Exception):
    """The server cannot be used just now; `answer` says in which phase and what it said."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


class Session:
    """An open SMTP session: its dialogue, and what the server offered (RFC 5321 §4.1.1.1)."""

    def __init__(self, smtp: smtplib.SMTP) -> None:
        assert smtp.sock is not None  # noqa: S101
        for level, name, value in SOCKET_OPTIONS:
            if hasattr(socket, name):
                smtp.sock.setsockopt(level, getattr(socket, name), value)
        self.smtp = smtp
        self.dialogue = Dialogue(smtp.sock)
        self.takes_pipelines = smtp.has_extn("pipelining")
        self.takes_8bit = smtp.has_extn("8bitmime")
        self.asks_size = smtp.has_extn("size")
        self.mails = 0

    @classmethod
    def open(cls, server: SmtpServer, watch: Watch) -> "Session":
        """Connect, greet, secure and log in, a sign of life before each. Raises NotOpened."""
        phase = Phase.CONNECT
        smtp: smtplib.SMTP | None = None
        try:
            smtp = _connected(server)
            phase = Phase.EHLO
            watch.while_waiting()
            smtp.ehlo_or_helo_if_needed()
            if server.starttls:
                phase = Phase.STARTTLS
                watch.while_waiting()
                smtp.starttls(context=ssl.create_default_context())
                smtp.ehlo_or_helo_if_needed()
            if server.user:
                phase = Phase.AUTH
                watch.while_waiting()
                smtp.login(server.user, server.password)
            return cls(smtp)
        except BaseException as error:
            if smtp is not None:
                smtp.close()
            raise _not_opened(server, phase, error) from error

    def envelope_commands(self, envelope: Envelope) -> list[bytes]:
        """MAIL, RCPT and DATA for one mail, each with its CRLF."""
        options = f" SIZE={len(envelope.content)}" if self.asks_size else ""
        if self.takes_8bit and not envelope.content.isascii():
            options += " BODY=8BITMIME"
        return [
            f"MAIL FROM:<{envelope.sender}>{options}\r\n".encode(),
            f"RCPT TO:<{envelope.recipient}>\r\n".encode(),
            b"DATA\r\n",
        ]

    def quit(self) -> None:
        """Say QUIT and leave; whatever is answered changes nothing any more."""
        with contextlib.suppress(Lost):
            self.dialogue.send(b"QUIT\r\n", patience=1)
            self.dialogue.reply(patience=1)
        self.drop()

    def drop(self) -> None:
        """Close the socket and say nothing."""
        with contextlib.suppress(OSError):
            self.smtp.close()


def _connected(server: SmtpServer) -> smtplib.SMTP:
    """A greeted connection. The host goes to the constructor: TLS checks the name it keeps."""
    place, name = (server.host, server.port), DNS_NAME.get_fqdn()
    if server.implicit_tls:
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(
            *place, timeout=CONNECT_PATIENCE, local_hostname=name, context=context
        )
    return smtplib.SMTP(*place, timeout=CONNECT_PATIENCE, local_hostname=name)


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
    return NotOpened(Answer.read(phase, code, text, host=server.place))
