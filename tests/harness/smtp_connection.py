"""The server's end of a connection: reads input in order and buffers replies."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST


class Gone(ConnectionError):
    """The other side, or a rule, ended the connection."""


class Connection(asyncio.Protocol):
    """Reads by awaiting; replies leave when there is nothing more to read."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.incoming = bytearray()
        self.outgoing = bytearray()
        self.is_over = False
        self.news: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None

    def run(self) -> Coroutine[Any, Any, None]:
        """The dialogue on the connection, from beginning to end."""
        raise NotImplementedError

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
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

    # The steps of a dialogue.

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

    async def secure(self, tls: ssl.SSLContext) -> None:
        """Continue over TLS. Raises SSLError or Gone if the client does not."""
        self.flush()
        self.incoming.clear()
        secured = await asyncio.get_running_loop().start_tls(
            self.transport, self, tls, server_side=True
        )
        if secured is None:
            raise Gone
        self.transport = secured

    def cut(self) -> None:
        """Reset the connection, whatever its state."""
        connection = self.transport.get_extra_info("socket")
        with suppress(OSError):  # it was gone already
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()
        if self.task is not None:
            self.task.cancel()

    async def _more(self) -> None:
        """Wait for more to read. Raises Gone."""
        if self.is_over:
            raise Gone
        self.news = asyncio.get_running_loop().create_future()
        await self.news

    def _tell(self) -> None:
        if self.news is not None and not self.news.done():
            self.news.set_result(None)
