"""One connection of the scripted SMTP server (RFC 5321, with pipelining, RFC 2920)."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.harness.smtp_rule import Rule

if TYPE_CHECKING:
    from tests.harness.smtp import SmtpServer

PATH = re.compile(r"<([^>]*)>")
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST


class Gone(ConnectionError):
    """The other side, or a rule, ended the connection."""


class Dialogue(asyncio.Protocol):
    """Obeys commands one by one; replies leave when there is nothing more to read.

    All of it runs in the event loop of its server. It does not read while a rule lets the client
    wait, so that a client that writes on is held up as by a real server.
    """

    transport: asyncio.Transport

    def __init__(self, server: SmtpServer) -> None:
        self.server = server
        self.number = 0
        self.incoming = bytearray()
        self.outgoing = bytearray()
        self.sender: str | None = None
        self.recipients: list[str] = []
        self.is_over = False
        self.news: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.number = self.server.entered(self)
        self.task = asyncio.get_running_loop().create_task(self.run())

    def data_received(self, data: bytes) -> None:
        self.incoming += data
        self._tell()

    def eof_received(self) -> bool:
        self.is_over = True
        self._tell()
        return self.transport.get_extra_info("ssl_object") is None  # replies may still leave

    def connection_lost(self, error: Exception | None) -> None:
        self.is_over = True
        self._tell()

    # The dialogue.

    async def run(self) -> None:
        try:
            with suppress(OSError):  # an SSLError is one, too
                await self.answer("connect", "220 test ESMTP")
                while True:
                    await self.obey((await self.read_until(b"\r\n")).decode("utf-8", "replace"))
        finally:
            self.transport.close()
            self.server.left(self)

    def cut(self) -> None:
        """Reset the connection."""
        connection = self.transport.get_extra_info("socket")
        with suppress(OSError):  # it was gone already
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()
        if self.task is not None:
            self.task.cancel()

    async def obey(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        handler = getattr(self, f"do_{verb.lower()}", None)
        if handler is None:
            self.say("500 5.5.2 what?")
        else:
            await handler(rest)

    async def do_ehlo(self, _: str) -> None:
        said = ["test", *self.server.extensions]
        if self.server.tls and not self.server.implicit_tls:
            said.append("STARTTLS")
        if self.server.users is not None:
            said.append("AUTH PLAIN")
        lines = [f"250-{one}" for one in said[:-1]] + [f"250 {said[-1]}"]
        await self.answer("ehlo", "\r\n".join(lines))

    async def do_helo(self, _: str) -> None:
        await self.answer("ehlo", "250 test")

    async def do_starttls(self, _: str) -> None:
        if await self.answer("starttls", "220 2.0.0 go ahead"):
            await self.secure()

    async def do_auth(self, rest: str) -> None:
        secret = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
        users = self.server.users or {}
        known = len(secret) == 3 and users.get(secret[1]) == secret[2]
        await self.answer("auth", "235 2.7.0 welcome" if known else "535 5.7.8 who?")

    async def do_mail(self, rest: str) -> None:
        self.sender, self.recipients = None, []
        sender = _path(rest)
        if await self.answer("mail", "250 2.1.0 ok", [sender]):
            self.sender = sender

    async def do_rcpt(self, rest: str) -> None:
        recipient = _path(rest)
        if self.sender is None:
            self.say("503 5.5.1 MAIL first")
        elif await self.answer("rcpt", "250 2.1.5 ok", [recipient]):
            self.recipients.append(recipient)

    async def do_data(self, _: str) -> None:
        if not self.recipients:
            self.say("503 5.5.1 no valid recipients")
        elif await self.answer("data", "354 go ahead", self.recipients):
            await self.finish_mail(await self.read_mail())

    async def do_rset(self, _: str) -> None:
        self.sender, self.recipients = None, []
        await self.answer("rset", "250 2.0.0 ok")

    async def do_noop(self, _: str) -> None:
        self.say("250 2.0.0 ok")

    async def do_quit(self, _: str) -> None:
        await self.answer("quit", "221 2.0.0 bye")
        self.flush()
        raise Gone

    async def finish_mail(self, raw: bytes) -> None:
        """Log the mail before the reply, as a real server stores it before it answers."""
        rule = self.server.rule("dot", self.recipients)
        if rule is None or rule.takes_mail():
            self.server.take(
                sender=self.sender or "",
                recipients=self.recipients,
                raw=raw,
                connection=self.number,
            )
        if rule is None:
            self.say("250 2.0.0 taken")
        else:
            await self.reply_by(rule, "250 2.0.0 taken")
        self.sender, self.recipients = None, []

    async def answer(self, phase: str, friendly: str, addresses: Sequence[str] = ()) -> bool:
        """Reply to a step, as a rule says or friendly; whether the reply was no error."""
        rule = self.server.rule(phase, addresses)
        if rule is not None:
            return await self.reply_by(rule, friendly)
        self.say(friendly)
        return not friendly.startswith(("4", "5"))

    async def reply_by(self, rule: Rule, friendly: str) -> bool:
        """Reply as a rule says; whether the reply was no error. Raises Gone when the rule drops."""
        self.flush()
        await self._wait_for(rule)
        said = rule.reply or ("" if rule.drop else friendly)
        if said:
            self.say(said)
        if rule.drop:
            self.flush()
            raise Gone
        return said.startswith(("2", "3"))

    def say(self, reply: str) -> None:
        self.outgoing += reply.encode() + b"\r\n"

    def flush(self) -> None:
        if self.outgoing:
            self.transport.write(bytes(self.outgoing))
            self.outgoing.clear()

    async def read_until(self, end: bytes) -> bytes:
        """The bytes up to `end`, without it. Raises Gone."""
        seen = 0
        while (at := self.incoming.find(end, seen)) < 0:
            seen = max(0, len(self.incoming) - len(end))
            self.flush()
            await self._more()
        found = bytes(self.incoming[:at])
        del self.incoming[: at + len(end)]
        return found

    async def read_mail(self) -> bytes:
        """A mail up to the lone dot, with dot-stuffing undone (RFC 5321 §4.5.2)."""
        self.incoming[:0] = b"\r\n"  # so that a dot at once ends an empty mail, too
        stuffed = await self.read_until(b"\r\n.\r\n") + b"\r\n"
        return stuffed.replace(b"\r\n..", b"\r\n.")[2:]

    async def secure(self) -> None:
        """Go on over TLS. Raises SSLError or Gone when the client does not."""
        assert self.server.tls is not None
        self.flush()
        self.incoming.clear()
        secured = await asyncio.get_running_loop().start_tls(
            self.transport, self, self.server.tls, server_side=True
        )
        if secured is None:
            raise Gone
        self.transport = secured

    async def _wait_for(self, rule: Rule) -> None:
        if not rule.makes_wait:
            rule.reached.set()
            return
        self.transport.pause_reading()
        await rule.wait()
        self.transport.resume_reading()

    async def _more(self) -> None:
        """Wait for more to read. Raises Gone."""
        if self.is_over:
            raise Gone
        self.news = asyncio.get_running_loop().create_future()
        await self.news

    def _tell(self) -> None:
        if self.news is not None and not self.news.done():
            self.news.set_result(None)


def _path(arguments: str) -> str:
    found = PATH.search(arguments)
    return found[1] if found else ""
