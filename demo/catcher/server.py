"""The catcher's SMTP server: it accepts every mail and keeps it for the inbox.

It replies 250 only once the row of the mail is committed.
"""

import asyncio
import logging
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, connection

from demo.catcher import faults, reading
from demo.catcher.models import CapturedMail, FaultRules

LOOPBACK = "127.0.0.1"
NOT_KEPT = "451 4.3.0 The inbox is busy, try again later"

# aiosmtpd logs every peer and every refused line; Moa's logs contain no addresses.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)


async def listen(port: int) -> asyncio.Server:
    """Accept mail on a loopback port; 0 takes any free one. Raises OSError if it is taken."""
    handler = Catcher()

    def dialogue() -> SMTP:
        return SMTP(
            handler,
            data_size_limit=settings.MAIL_CONTENT_LIMIT,
            hostname="catcher.localhost",
            ident="Moa mail catcher",
            loop=asyncio.get_running_loop(),
        )

    return await asyncio.get_running_loop().create_server(dialogue, LOOPBACK, port)


class Catcher:
    """The handler of SMTP commands, shared by all connections.

    aiosmtpd finds the methods by their names.
    """

    def __init__(self) -> None:
        self.tried: dict[str, int] = {}

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, name: str, replies: list[str]
    ) -> list[str]:
        session.host_name = name
        return [*replies[:-1], "250-PIPELINING", replies[-1]]

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        fault = faults.of(address)
        if fault and fault.reply and await self.is_struck(address, fault):
            if fault.hangs_up:
                asyncio.get_running_loop().call_soon(hang_up, server)  # after the reply
            return fault.reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        struck = [
            fault
            for address in envelope.rcpt_tos
            if (fault := faults.of(address))
            and not fault.reply
            and await self.is_struck(address, fault)
        ]
        hangs_up = any(fault.hangs_up for fault in struck)
        is_lost = hangs_up and not any(fault.keeps for fault in struck if fault.hangs_up)
        if not is_lost and not await sync_to_async(keep)(envelope):
            return NOT_KEPT
        if hangs_up:
            hang_up(server)  # the reply below is no longer written
        await asyncio.sleep(max((fault.seconds for fault in struck), default=0))
        return "250 2.0.0 Caught"

    async def is_struck(self, address: str, fault: faults.Fault) -> bool:
        """Whether the fault affects this attempt. A successful attempt resets the count."""
        tried = self.tried.pop(address, 0)
        if not fault.strikes(tried) or not await sync_to_async(FaultRules.are_followed)():
            return False
        if fault.tries is not None:
            self.tried[address] = tried + 1
        return True


def hang_up(server: SMTP) -> None:
    if server.transport is not None:
        server.transport.close()


def keep(envelope: Envelope) -> bool:
    """Store a mail once per envelope recipient; return whether it was stored."""
    raw: Any = envelope.content
    mails = [
        CapturedMail(
            sender=envelope.mail_from or "",
            recipient=recipient,
            subject=reading.subject(raw),
            size=len(raw),
            raw=raw,
        )
        for recipient in envelope.rcpt_tos
    ]
    try:
        CapturedMail.objects.bulk_create(mails)
    except DatabaseError:
        connection.close()  # the next mail opens a new one
        return False
    return True
