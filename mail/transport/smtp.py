"""SMTP that knows in which phase it is and spends one round trip per mail.

`smtplib.SMTP.sendmail` raises the same error for a connection lost before and after the end of
data; here the one is certain and the other is not. So the mail transaction is spoken command by
command (RFC 5321 §3.3).

Where the server offers PIPELINING (RFC 2920), MAIL, RCPT and DATA leave in one write, together
with the end of the mail before them when the next one is known. What decides is unchanged: a mail
is offered when its own end of data is written, and the callbacks are asked before that.
"""

import contextlib
import re
import time

from mail.conf.smtp_server import SmtpServer
from mail.transport.base import NO_CALLBACKS, Callbacks, Envelope, OutOfTime
from mail.transport.replies import Phase, Reply
from mail.transport.session import NotOpened, Session
from mail.transport.wire import CHUNK, ConnectionLost

# Seconds the server may take. RFC 5321 §4.5.3.2 asks for minutes; giving up earlier is harmless
# before the end of data. After it, where it is not, the full ten minutes are waited.
PATIENCE = {
    Phase.MAIL: 30.0,
    Phase.RCPT: 60.0,
    Phase.DATA: 60.0,
    Phase.CONTENT: 60.0,
    Phase.DOT: 600.0,
}
IDLE_LIMIT = 15.0  # seconds without a mail after which a connection is checked with NOOP
MAILS_PER_CONNECTION = 1000

ENVELOPE = ((Phase.MAIL, 2), (Phase.RCPT, 2), (Phase.DATA, 3))
"""The commands before the content, and the first digit of the reply that lets it go on."""
END_OF_DATA = b".\r\n"
LEADING_DOT = re.compile(rb"\n\.")
AGREED = re.compile(rb"2\d\d [^\n]*\n2\d\d [^\n]*\n3\d\d [^\n]*\n")
"""The replies to a pipelined ENVELOPE that a server agrees to, each in one line."""


class SmtpConnection:
    """One connection to one SMTP server, kept between mails."""

    def __init__(self, server: SmtpServer) -> None:
        self.server = server
        self.session: Session | None = None
        self.announced: Envelope | None = None
        """The mail whose MAIL, RCPT and DATA left together with the end of the one before."""
        self.used_at = 0.0

    def open(self, callbacks: Callbacks = NO_CALLBACKS) -> Reply | None:
        """Connect, greet, secure and log in, unless that is done; see Connection.open."""
        if self.session is not None and not self._is_stale(callbacks):
            return None
        self.close()
        try:
            self.session = Session.open(self.server, callbacks)
        except NotOpened as error:
            return error.reply
        return None

    def deliver(self, envelope: Envelope, callbacks: Callbacks) -> Reply:
        """Speak one mail transaction and return its last reply; see Connection.deliver."""
        try:
            if self.announced is not envelope:
                self.withdraw()
                if trouble := self.open(callbacks):
                    return trouble
            was_used = self.session is not None and self.session.mails > 0
            reply = self._transact(envelope, callbacks)
            if was_used and reply.phase is Phase.MAIL and reply.code in (None, 421):
                # The server had closed the kept connection before it was told of this mail.
                reply = self.open(callbacks) or self._transact(envelope, callbacks)
        except BaseException:
            self._drop()
            raise
        return reply

    def withdraw(self) -> None:
        """Drop a connection on which the server waits for a content that will not come."""
        if self.announced is not None:
            self._drop()

    def close(self) -> None:
        """Say QUIT and close; the reply changes nothing."""
        self.withdraw()
        if self.session is not None:
            self.session.quit()
        self._drop()

    def _transact(self, envelope: Envelope, callbacks: Callbacks) -> Reply:
        session = self.session
        assert session is not None  # noqa: S101
        session.wire.while_waiting = callbacks.while_waiting
        session.mails += 1
        refusal = self._say_envelope(session, envelope)
        self.used_at = time.monotonic()
        if refusal:
            return refusal
        try:
            self.announced = self._write_content(session, envelope, callbacks)
        except ConnectionLost as error:
            self._drop()
            return self._reply(Phase.CONTENT, None, str(error))
        try:
            code, text = session.wire.read_reply(patience=PATIENCE[Phase.DOT])
        except (ConnectionLost, OutOfTime) as error:
            self._drop()
            return self._reply(Phase.DOT, None, str(error))
        self.used_at = time.monotonic()
        reply = Reply.parse(Phase.DOT, code, text, host=self.server.place)
        if reply.code == 421 or session.mails >= MAILS_PER_CONNECTION:
            self.close()
        return reply

    def _say_envelope(self, session: Session, envelope: Envelope) -> Reply | None:
        """Say MAIL, RCPT and DATA unless that was done; return what was refused, if anything.

        In a pipeline every command gets a reply, also those after a refused one (RFC 2920 §3.1).
        """
        commands = [] if self.announced is envelope else session.envelope_commands(envelope)
        self.announced = None
        if session.has_pipelining:
            if not commands and session.wire.has_received(AGREED):
                return None
            commands = [b"".join(commands), b"", b""]
        refusal: Reply | None = None
        reply: Reply | None = None
        for (phase, expected), command in zip(ENVELOPE, commands, strict=True):
            reply = self._converse(session, phase, command, expected)
            refusal = refusal or reply
            if reply and (not session.has_pipelining or reply.code in (None, 421)):
                break
        if refusal:
            self._recover(session, refusal, last=reply)
        return refusal

    def _recover(self, session: Session, refusal: Reply, last: Reply | None) -> None:
        """After a refused command, reset the transaction or drop the connection.

        A server that agreed to the DATA of a refused mail waits for a content that must not come.
        """
        usable = last and {refusal.code, last.code}.isdisjoint({None, 421})
        if not usable or self._converse(session, Phase.MAIL, b"RSET\r\n", 2):
            self._drop()

    def _write_content(
        self, session: Session, envelope: Envelope, callbacks: Callbacks
    ) -> Envelope | None:
        """Write the content and the end of data; return the mail announced behind it, if any.

        `before_end_of_data` is called right before the write that holds the end of data, and again
        whenever the socket had no room for all of it. Raises ConnectionLost, but never once the
        end of data has left.
        """
        wire, patience = session.wire, PATIENCE[Phase.CONTENT]
        content = _stuffed(envelope.content)
        apart = max(0, len(content) - CHUNK)
        if apart:
            wire.send(content[:apart], patience=patience)
        following = callbacks.prepare_end_of_data()
        if not session.has_pipelining or session.mails >= MAILS_PER_CONNECTION:
            following = None
        announcement = b"".join(session.envelope_commands(following)) if following else b""
        ending = content[apart:] + END_OF_DATA + announcement
        end_of_data, written = len(ending) - len(announcement), 0
        while written < end_of_data:
            callbacks.before_end_of_data()
            written += wire.send_now(ending[written:]) or wire.wait_for_room(patience)
        if written < len(ending):
            with contextlib.suppress(ConnectionLost, OutOfTime):  # now only the reply decides
                wire.send(ending[written:], patience=patience)
        return following

    def _converse(
        self, session: Session, phase: Phase, command: bytes, expected: int
    ) -> Reply | None:
        """Say a command and read its reply; None if it begins with the `expected` digit."""
        wire, patience = session.wire, PATIENCE[phase]
        try:
            if command:
                wire.send(command, patience=patience)
            code, text = wire.read_reply(patience=patience)
        except ConnectionLost as error:
            return self._reply(phase, None, str(error))
        return None if code // 100 == expected else self._reply(phase, code, text)

    def _is_stale(self, callbacks: Callbacks) -> bool:
        session = self.session
        if self.announced or session is None or time.monotonic() - self.used_at < IDLE_LIMIT:
            return False
        session.wire.while_waiting = callbacks.while_waiting
        return self._converse(session, Phase.MAIL, b"NOOP\r\n", 2) is not None

    def _reply(self, phase: Phase, code: int | None, text: str) -> Reply:
        return Reply.parse(phase, code, text, host=self.server.place)

    def _drop(self) -> None:
        """Close the socket without QUIT."""
        if self.session is not None:
            self.session.drop()
        self.session = self.announced = None


def _stuffed(content: bytes) -> bytes:
    """The content with leading dots doubled and a CRLF at its end (RFC 5321 §4.5.2)."""
    stuffed = LEADING_DOT.sub(rb"\n..", content) if LEADING_DOT.search(content) else content
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n"
