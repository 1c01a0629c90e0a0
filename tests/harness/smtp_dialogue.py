"""One connection of the scripted SMTP server (RFC 5321, with pipelining, RFC 2920)."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from tests.harness.smtp_connection import Connection, Gone
from tests.harness.smtp_rule import Rule

PATH = re.compile(r"<([^>]*)>")


class Server(Protocol):
    """What a dialogue needs of its server."""

    extensions: list[str]
    tls: ssl.SSLContext | None
    implicit_tls: bool
    users: dict[str, str] | None

    def rule(self, phase: str, addresses: Sequence[str]) -> Rule | None: ...
    def take(self, *, sender: str, recipients: list[str], raw: bytes, connection: int) -> None: ...
    def entered(self, dialogue: Dialogue) -> int: ...
    def left(self, dialogue: Dialogue) -> None: ...


class Dialogue(Connection):
    """Obeys commands one by one; replies leave when there is nothing more to read.

    It runs in its server's event loop. It does not read while a rule makes the client wait, so that a
    client that keeps writing is blocked as by a real server.
    """

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server
        self.number = 0
        self.sender: str | None = None
        self.recipients: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.number = self.server.entered(self)
        super().connection_made(transport)

    async def run(self) -> None:
        try:
            with suppress(OSError):  # an SSLError is one, too
                await self.answer("connect", "220 test ESMTP")
                while True:
                    await self.obey((await self.read_until(b"\r\n")).decode("utf-8", "replace"))
        finally:
            self.transport.close()
            self.server.left(self)

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
            assert self.server.tls is not None
            await self.secure(self.server.tls)

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
        """Reply to a step, by a rule or positively; return whether the reply was positive."""
        rule = self.server.rule(phase, addresses)
        if rule is not None:
            return await self.reply_by(rule, friendly)
        self.say(friendly)
        return not friendly.startswith(("4", "5"))

    async def reply_by(self, rule: Rule, friendly: str) -> bool:
        """Reply by a rule; return whether the reply was positive. Raises Gone if it drops."""
        self.flush()
        await self._wait_for(rule)
        said = rule.reply or ("" if rule.drop else friendly)
        if said:
            self.say(said)
        if rule.drop:
            self.flush()
            raise Gone
        return said.startswith(("2", "3"))

    async def read_mail(self) -> bytes:
        """A mail up to the lone dot, with dot-stuffing undone (RFC 5321 §4.5.2)."""
        self.incoming[:0] = b"\r\n"  # so that a dot at once ends an empty mail, too
        stuffed = await self.read_until(b"\r\n.\r\n") + b"\r\n"
        return stuffed.replace(b"\r\n..", b"\r\n.")[2:]

    async def _wait_for(self, rule: Rule) -> None:
        if not rule.makes_wait:
            rule.reached.set()
            return
        self.transport.pause_reading()
        await rule.wait()
        self.transport.resume_reading()


def _path(arguments: str) -> str:
    found = PATH.search(arguments)
    return found[1] if found else ""
