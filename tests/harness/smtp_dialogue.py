"""One connection of the scripted SMTP server (RFC 5321, with pipelining, RFC 2920)."""

from __future__ import annotations

import base64
import re
import socket
import struct
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness.smtp import Rule, SmtpServer

PATH = re.compile(r"<([^>]*)>")
CHUNK = 65536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST


class Gone(ConnectionError):
    """The other side, or a rule, ended the connection."""


class Dialogue(threading.Thread):
    """Reads commands one by one and obeys; replies leave when there is nothing more to read."""

    def __init__(self, server: SmtpServer, connection: socket.socket, number: int) -> None:
        super().__init__(name=f"smtp-{number}", daemon=True)
        self.server = server
        self.connection = connection
        self.number = number
        self.incoming = bytearray()
        self.outgoing = bytearray()
        self.sender: str | None = None
        self.recipients: list[str] = []

    def run(self) -> None:
        try:
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.server.tls and self.server.implicit_tls:
                self.secure()
            self.answer("connect", "220 test ESMTP")
            while True:
                self.obey(self.read_until(b"\r\n").decode("utf-8", "replace"))
        except OSError:
            pass
        finally:
            self.connection.close()
            self.server.left(self)

    def cut(self) -> None:
        """Reset the connection, from any thread."""
        try:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it was gone already

    def obey(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        handler = getattr(self, f"do_{verb.lower()}", None)
        if handler is None:
            self.say("500 5.5.2 what?")
        else:
            handler(rest)

    def do_ehlo(self, _: str) -> None:
        said = ["test", *self.server.extensions]
        if self.server.tls and not self.server.implicit_tls:
            said.append("STARTTLS")
        if self.server.users is not None:
            said.append("AUTH PLAIN")
        lines = [f"250-{one}" for one in said[:-1]] + [f"250 {said[-1]}"]
        self.answer("ehlo", "\r\n".join(lines))

    def do_helo(self, _: str) -> None:
        self.answer("ehlo", "250 test")

    def do_starttls(self, _: str) -> None:
        if self.answer("starttls", "220 2.0.0 go ahead"):
            self.secure()

    def do_auth(self, rest: str) -> None:
        secret = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
        users = self.server.users or {}
        known = len(secret) == 3 and users.get(secret[1]) == secret[2]
        self.answer("auth", "235 2.7.0 welcome" if known else "535 5.7.8 who?")

    def do_mail(self, rest: str) -> None:
        self.sender, self.recipients = None, []
        sender = _path(rest)
        if self.answer("mail", "250 2.1.0 ok", [sender]):
            self.sender = sender

    def do_rcpt(self, rest: str) -> None:
        recipient = _path(rest)
        if self.sender is None:
            self.say("503 5.5.1 MAIL first")
        elif self.answer("rcpt", "250 2.1.5 ok", [recipient]):
            self.recipients.append(recipient)

    def do_data(self, _: str) -> None:
        if not self.recipients:
            self.say("503 5.5.1 no valid recipients")
        elif self.answer("data", "354 go ahead", self.recipients):
            self.finish_mail(self.read_mail())

    def do_rset(self, _: str) -> None:
        self.sender, self.recipients = None, []
        self.answer("rset", "250 2.0.0 ok")

    def do_noop(self, _: str) -> None:
        self.say("250 2.0.0 ok")

    def do_quit(self, _: str) -> None:
        self.answer("quit", "221 2.0.0 bye")
        self.flush()
        raise Gone

    def finish_mail(self, raw: bytes) -> None:
        """Log the mail before the reply, as a real server stores it before it answers."""
        rule = self.server.rule("dot", self.recipients)
        if rule is None or rule.takes_mail():
            self.server.take(
                sender=self.sender or "",
                recipients=self.recipients,
                raw=raw,
                connection=self.number,
            )
        self.reply(rule, "250 2.0.0 taken")
        self.sender, self.recipients = None, []

    def answer(self, phase: str, friendly: str, addresses: Sequence[str] = ()) -> bool:
        """Reply to a step, as a rule says or friendly; whether the reply was no error."""
        return self.reply(self.server.rule(phase, addresses), friendly)

    def reply(self, rule: Rule | None, friendly: str) -> bool:
        said = friendly
        if rule is not None:
            self.flush()
            rule.wait()
            said = rule.reply or ("" if rule.drop else friendly)
        if said:
            self.say(said)
        if rule is not None and rule.drop:
            self.flush()
            raise Gone
        return said.startswith(("2", "3"))

    def say(self, reply: str) -> None:
        self.outgoing += f"{reply}\r\n".encode()

    def flush(self) -> None:
        if self.outgoing:
            self.connection.sendall(self.outgoing)
            self.outgoing.clear()

    def read_until(self, end: bytes) -> bytes:
        """The bytes up to `end`, without it."""
        seen = 0
        while (at := self.incoming.find(end, seen)) < 0:
            seen = max(0, len(self.incoming) - len(end))
            self.flush()
            received = self.connection.recv(CHUNK)
            if not received:
                raise Gone
            self.incoming += received
        found = bytes(self.incoming[:at])
        del self.incoming[: at + len(end)]
        return found

    def read_mail(self) -> bytes:
        """A mail up to the lone dot, with dot-stuffing undone (RFC 5321 §4.5.2)."""
        self.incoming[:0] = b"\r\n"  # so that a dot at once ends an empty mail, too
        stuffed = self.read_until(b"\r\n.\r\n") + b"\r\n"
        return stuffed.replace(b"\r\n..", b"\r\n.")[2:]

    def secure(self) -> None:
        assert self.server.tls is not None
        self.flush()
        self.incoming.clear()
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)


def _path(arguments: str) -> str:
    found = PATH.search(arguments)
    return found[1] if found else ""
