"""SMTP that knows in which phase it is.

`smtplib.SMTP.sendmail` raises the same error for a connection lost before and after the
terminating dot; here the one is certain and the other is not. smtplib does the connection, TLS
and login; the mail transaction is spoken command by command (RFC 5321 §3.3).
"""

import contextlib
import re
import smtplib
import socket
import ssl
import time

from django.core.mail.utils import DNS_NAME

from mail.retry import Answer, Phase
from mail.transport.dialogue import Dialogue
from mail.transport.envelope import UNWATCHED, Envelope, OutOfTime, Watch
from mail.transport.server import SmtpServer

# Seconds the server may take. RFC 5321 §4.5.3.2 asks for minutes; a shop gives up earlier where
# that is harmless, and waits the full ten minutes after the dot, where it is not.
PATIENCE = {
    Phase.CONNECT: 10.0,
    Phase.MAIL: 30.0,
    Phase.RCPT: 60.0,
    Phase.DATA: 60.0,
    Phase.CONTENT: 60.0,
    Phase.DOT: 600.0,
}
IDLE_LIMIT = 15.0  # seconds a kept connection may rest before it is asked whether it lives
MAILS_PER_CONNECTION = 1000

LINE_START_DOT = re.compile(rb"(?m)^\.")


class SmtpTransport:
    """One connection to one SMTP server, kept between mails."""

    def __init__(self, server: SmtpServer) -> None:
        self.server = server
        self.host = f"{server.host}:{server.port}"
        self.smtp: smtplib.SMTP | None = None
        self.dialogue: Dialogue | None = None
        self.mails = 0
        self.used_at = 0.0

    def open(self, watch: Watch = UNWATCHED) -> Answer | None:
        """Connect, greet, secure and log in, unless that is done; see Transport.open."""
        if self.dialogue is not None and not self._is_stale(watch):
            return None
        self.close()
        phase = Phase.CONNECT
        try:
            self.smtp = smtp = self._connected()
            phase = Phase.EHLO
            watch.while_waiting()
            smtp.ehlo_or_helo_if_needed()
            if self.server.starttls:
                phase = Phase.STARTTLS
                watch.while_waiting()
                smtp.starttls(context=ssl.create_default_context())
                smtp.ehlo_or_helo_if_needed()
            if self.server.user:
                phase = Phase.AUTH
                watch.while_waiting()
                smtp.login(self.server.user, self.server.password)
        except smtplib.SMTPResponseException as error:
            self._drop()
            return self._answer(phase, error.smtp_code, _text(error.smtp_error))
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            self._drop()
            return self._answer(phase, None, f"{type(error).__name__}: {error}")
        assert smtp.sock is not None  # noqa: S101
        # The dot leaves after the content: with Nagle's algorithm it would wait for a delayed ACK.
        smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.dialogue = Dialogue(smtp.sock)
        self.mails = 0
        return None

    def deliver(self, envelope: Envelope, watch: Watch) -> Answer:
        """Speak one mail transaction and return its last answer; see Transport.deliver."""
        try:
            if trouble := self.open(watch):
                return trouble
            was_kept = self.mails > 0
            answer = self._transact(envelope, watch)
            if was_kept and answer.phase is Phase.MAIL and answer.code in (None, 421):
                # The server had closed the kept connection; nothing of this mail was said yet.
                answer = self.open(watch) or self._transact(envelope, watch)
        except BaseException:
            self._drop()
            raise
        return answer

    def close(self) -> None:
        """Say QUIT and leave; whatever is answered changes nothing any more."""
        if self.dialogue is not None:
            with contextlib.suppress(OSError):
                self.dialogue.send(b"QUIT\r\n", patience=1)
                self.dialogue.reply(patience=1)
        self._drop()

    def _transact(self, envelope: Envelope, watch: Watch) -> Answer:
        dialogue = self.dialogue
        assert dialogue is not None  # noqa: S101
        dialogue.waiting = watch.while_waiting
        self.mails += 1
        for phase, command, expected in self._commands(envelope):
            answer = self._converse(dialogue, phase, command)
            if answer.code is None or answer.code // 100 != expected:
                self._recover(dialogue, answer)
                return answer
        try:
            dialogue.send(_stuffed(envelope.content), patience=PATIENCE[Phase.CONTENT])
            dialogue.await_room(patience=PATIENCE[Phase.CONTENT])
        except OSError as error:
            self._drop()
            return self._answer(Phase.CONTENT, None, f"{type(error).__name__} in the content")
        watch.before_dot()
        answer = self._converse(dialogue, Phase.DOT, b".")
        self.used_at = time.monotonic()
        if answer.code is None or answer.code == 421 or self.mails >= MAILS_PER_CONNECTION:
            self._leave(answer)
        return answer

    def _commands(self, envelope: Envelope) -> list[tuple[Phase, bytes, int]]:
        assert self.smtp is not None  # noqa: S101
        options = ""
        if self.smtp.has_extn("size"):
            options += f" SIZE={len(envelope.content)}"
        if self.smtp.has_extn("8bitmime") and not envelope.content.isascii():
            options += " BODY=8BITMIME"
        return [
            (Phase.MAIL, f"MAIL FROM:<{envelope.sender}>{options}".encode(), 2),
            (Phase.RCPT, f"RCPT TO:<{envelope.recipient}>".encode(), 2),
            (Phase.DATA, b"DATA", 3),
        ]

    def _converse(self, dialogue: Dialogue, phase: Phase, command: bytes) -> Answer:
        """Say one command and hear the reply; silence becomes an Answer without a code.

        A dot that the socket did not take never left: that failure belongs to the content.
        """
        said: Phase = Phase.CONTENT if phase is Phase.DOT else phase
        try:
            dialogue.send(command + b"\r\n", patience=PATIENCE[said])
            said = phase
            code, text = dialogue.reply(patience=PATIENCE[phase])
        except OSError as error:
            return self._answer(said, None, str(error) or type(error).__name__)
        except OutOfTime:
            if said is not Phase.DOT:
                raise
            return self._answer(said, None, "the worker had to end before the server replied")
        return self._answer(phase, code, text)

    def _recover(self, dialogue: Dialogue, answer: Answer) -> None:
        """After a refused command: clear the transaction, or give the connection up."""
        self.used_at = time.monotonic()
        if (
            answer.code is None
            or answer.code == 421
            or self._converse(dialogue, Phase.MAIL, b"RSET").code != 250
        ):
            self._drop()

    def _leave(self, answer: Answer) -> None:
        if answer.code is None:
            self._drop()
        else:
            self.close()

    def _is_stale(self, watch: Watch) -> bool:
        if time.monotonic() - self.used_at < IDLE_LIMIT or self.dialogue is None:
            return False
        self.dialogue.waiting = watch.while_waiting
        return self._converse(self.dialogue, Phase.MAIL, b"NOOP").code != 250

    def _connected(self) -> smtplib.SMTP:
        """A greeted connection. The host goes to the constructor: TLS checks the name it keeps."""
        place = (self.server.host, self.server.port)
        patience, name = PATIENCE[Phase.CONNECT], DNS_NAME.get_fqdn()
        if self.server.implicit_tls:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(*place, timeout=patience, local_hostname=name, context=context)
        return smtplib.SMTP(*place, timeout=patience, local_hostname=name)

    def _answer(self, phase: Phase, code: int | None, text: str) -> Answer:
        return Answer.read(phase, code, text, host=self.host)

    def _drop(self) -> None:
        """Close the socket and say nothing."""
        if self.smtp is not None:
            with contextlib.suppress(OSError):
                self.smtp.close()
        self.smtp = self.dialogue = None


def _stuffed(content: bytes) -> bytes:
    """The content with leading dots doubled and a CRLF at its end (RFC 5321 §4.5.2)."""
    stuffed = LINE_START_DOT.sub(b"..", content)
    return stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n"


def _text(reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return " ".join(text.split())
