"""SMTP that knows in which phase it is, and wastes no round trip.

`smtplib.SMTP.sendmail` raises the same error for a connection lost before and after the
terminating dot; here the one is certain and the other is not. So the mail transaction is spoken
command by command (RFC 5321 §3.3).

Where the server offers PIPELINING (RFC 2920), MAIL, RCPT and DATA leave in one write, and together
with the end of the mail before them when that is known: one round trip per mail. What decides is
unchanged: a mail is offered when its own dot is written, and before that the watch is asked.
"""

import contextlib
import re
import time

from mail.conf.smtp_server import SmtpServer
from mail.transport.base import UNWATCHED, Envelope, Following, OutOfTime, Watch, nobody
from mail.transport.replies import Answer, Phase
from mail.transport.session import NotOpened, Session
from mail.transport.wire import CHUNK, Dialogue, Lost

# Seconds the server may take. RFC 5321 §4.5.3.2 asks for minutes; a shop gives up earlier where
# that is harmless, and waits the full ten minutes after the dot, where it is not.
PATIENCE = {
    Phase.MAIL: 30.0,
    Phase.RCPT: 60.0,
    Phase.DATA: 60.0,
    Phase.CONTENT: 60.0,
    Phase.DOT: 600.0,
}
IDLE_LIMIT = 15.0  # seconds a kept connection may rest before it is asked whether it lives
MAILS_PER_CONNECTION = 1000

ENVELOPE = ((Phase.MAIL, 2), (Phase.RCPT, 2), (Phase.DATA, 3))
"""The commands before the content, and the first digit of the reply that lets it go on."""
DOT = b".\r\n"
LEADING_DOT = re.compile(rb"\n\.")
AGREED = re.compile(rb"2\d\d [^\n]*\n2\d\d [^\n]*\n3\d\d [^\n]*\n")
"""What a server says to a pipelined ENVELOPE when all is well, each in one line."""


class SmtpTransport:
    """One connection to one SMTP server, kept between mails."""

    def __init__(self, server: SmtpServer) -> None:
        self.server = server
        self.session: Session | None = None
        self.announced: Envelope | None = None
        """The mail whose MAIL, RCPT and DATA have left already, behind the dot of the last one."""
        self.used_at = 0.0

    def open(self, watch: Watch = UNWATCHED) -> Answer | None:
        """Connect, greet, secure and log in, unless that is done; see Transport.open."""
        if self.session is not None and not self._is_stale(watch):
            return None
        self.close()
        try:
            self.session = Session.open(self.server, watch)
        except NotOpened as error:
            return error.answer
        return None

    def deliver(self, envelope: Envelope, watch: Watch, following: Following = nobody) -> Answer:
        """Speak one mail transaction and return its last answer; see Transport.deliver."""
        try:
            if self.announced is not envelope:
                self.withdraw()
            if trouble := self.open(watch):
                return trouble
            was_kept = self.session is not None and self.session.mails > 0
            answer = self._transact(envelope, watch, following)
            if was_kept and answer.phase is Phase.MAIL and answer.code in (None, 421):
                # The server had closed the kept connection; nothing of this mail was said yet.
                answer = self.open(watch) or self._transact(envelope, watch, following)
        except BaseException:
            self._drop()
            raise
        return answer

    def withdraw(self) -> None:
        """Leave a server that waits for the content of a mail that will not come."""
        if self.announced is not None:
            self._drop()

    def close(self) -> None:
        """Say QUIT and leave; whatever is answered changes nothing any more."""
        self.withdraw()
        if self.session is not None:
            self.session.quit()
        self._drop()

    def _transact(self, envelope: Envelope, watch: Watch, following: Following) -> Answer:
        session = self.session
        assert session is not None  # noqa: S101
        session.dialogue.waiting = watch.while_waiting
        session.mails += 1
        refusal = self._announce(session, envelope)
        self.used_at = time.monotonic()
        if refusal:
            return refusal
        try:
            announced = self._write_content(session, envelope, watch, following)
        except Lost as error:
            self._drop()
            return self._answer(Phase.CONTENT, None, str(error))
        self.announced = announced
        answer = self._hear(session.dialogue, Phase.DOT)
        assert answer is not None  # noqa: S101
        self.used_at = time.monotonic()
        if answer.code is None:
            self._drop()
        elif answer.code == 421 or session.mails >= MAILS_PER_CONNECTION:
            self.close()
        return answer

    def _announce(self, session: Session, envelope: Envelope) -> Answer | None:
        """Say MAIL, RCPT and DATA unless that was done; return what was refused, if anything.

        In a pipeline every command is answered, also those after a refused one (RFC 2920 §3.1).
        """
        commands = [] if self.announced is envelope else session.envelope_commands(envelope)
        self.announced = None
        if session.takes_pipelines:
            if not commands and session.dialogue.has_heard(AGREED):
                return None
            commands = [b"".join(commands), b"", b""]
        refusal: Answer | None = None
        answer: Answer | None = None
        for (phase, expected), command in zip(ENVELOPE, commands, strict=True):
            answer = self._converse(session.dialogue, phase, command, expected)
            refusal = refusal or answer
            if answer and (not session.takes_pipelines or answer.code in (None, 421)):
                break
        if refusal:
            self._recover(session, refusal, last=answer)
        return refusal

    def _recover(self, session: Session, refusal: Answer, last: Answer | None) -> None:
        """After a refused command: clear the transaction, or give the connection up.

        A server that agrees to the DATA of a refused mail waits for content that must not come.
        """
        usable = last and {refusal.code, last.code}.isdisjoint({None, 421})
        if not usable or self._converse(session.dialogue, Phase.MAIL, b"RSET\r\n", 2):
            self._drop()

    def _write_content(
        self, session: Session, envelope: Envelope, watch: Watch, following: Following
    ) -> Envelope | None:
        """Write the content and its dot, and behind it what announces the following mail: that.

        One that cannot be announced is made here all the same: what the watch has begun takes its
        time meanwhile. The watch is asked right before the octets that hold the dot, and again
        should the socket not have room for all of them. Raises Lost as long as the dot has not left.
        """
        dialogue, patience = session.dialogue, PATIENCE[Phase.CONTENT]
        content = _stuffed(envelope.content)
        apart = max(0, len(content) - CHUNK)
        dialogue.send(content[:apart], patience=patience)
        watch.dot_is_near()
        comes_next = following()
        if not session.takes_pipelines or session.mails >= MAILS_PER_CONNECTION:
            comes_next = None
        announcement = b"".join(session.envelope_commands(comes_next)) if comes_next else b""
        ending = content[apart:] + DOT + announcement
        end_of_dot, written = len(ending) - len(announcement), 0
        while written < end_of_dot:
            watch.before_dot()
            written += dialogue.push(ending[written:]) or dialogue.await_room(patience=patience)
        with contextlib.suppress(Lost, OutOfTime):  # the dot has left: only its reply decides
            dialogue.send(ending[written:], patience=patience)
        return comes_next

    def _converse(
        self, dialogue: Dialogue, phase: Phase, command: bytes, expected: int
    ) -> Answer | None:
        """Say a command and hear the reply; None if it begins with the `expected` digit."""
        try:
            if command:
                dialogue.send(command, patience=PATIENCE[phase])
        except Lost as error:
            return self._answer(phase, None, str(error))
        return self._hear(dialogue, phase, expected)

    def _hear(self, dialogue: Dialogue, phase: Phase, expected: int = 0) -> Answer | None:
        """Hear a reply; silence becomes an Answer without a code, what was `expected` None."""
        try:
            code, text = dialogue.reply(patience=PATIENCE[phase])
        except Lost as error:
            return self._answer(phase, None, str(error))
        except OutOfTime:
            if phase is not Phase.DOT:
                raise
            return self._answer(phase, None, "the worker had to end before the server replied")
        return None if code // 100 == expected else self._answer(phase, code, text)

    def _is_stale(self, watch: Watch) -> bool:
        session = self.session
        if self.announced or session is None or time.monotonic() - self.used_at < IDLE_LIMIT:
            return False
        session.dialogue.waiting = watch.while_waiting
        return self._converse(session.dialogue, Phase.MAIL, b"NOOP\r\n", 2) is not None

    def _answer(self, phase: Phase, code: int | None, text: str) -> Answer:
        return Answer.read(phase, code, text, host=self.server.place)

    def _drop(self) -> None:
        """Close the socket and say nothing."""
        if self.session is not None:
            self.session.drop()
        self.session = self.announced = None


def _stuffed(content: bytes) -> bytes:
    """The content with leading dots doubled and a CRLF at its end (RFC 5321 §4.5.2)."""
    stuffed = LEADING_DOT.sub(rb"\n..", content) if LEADING_DOT.search(content) else content
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n"
