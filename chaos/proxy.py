"""A TCP proxy that breaks what goes through it: `python -m chaos.proxy --port N --to M`.

Lines of JSON on standard input control it: {"do": "cut"} closes every link, {"do": "reset"} resets
them, {"do": "half"} passes nothing more but closes nothing, {"do": "slow", "rate": 200} passes
that many octets a second each way, {"do": "refuse"} accepts no new link, {"do": "clear"} makes
new links work; those after "half" stay silent until their ends give up.
"""

import argparse
import asyncio
import json
import socket
import struct
import sys
from contextlib import suppress
from typing import Any

CHUNK = 65536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST
SPOONFUL = 0.1  # seconds between two chunks on a slow link


class Link:
    """One client and its own connection to the server."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.ends = (client, server)
        self.silent = False

    def close(self, *, reset: bool) -> None:
        for end in self.ends:
            connection = end.get_extra_info("socket")
            if reset and connection is not None:
                with suppress(OSError):  # closed already
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.transport.abort() if reset else end.close()


class Proxy:
    """Passes octets both ways unless ordered otherwise."""

    def __init__(self, *, port: int, to: int) -> None:
        self.port, self.to = port, to
        self.links: set[Link] = set()
        self.rate = 0
        self.silent = False
        self.refusing = False

    async def serve(self) -> None:
        server = await asyncio.start_server(self.accept, "127.0.0.1", self.port)
        async with server:
            await self.listen_to_orders()

    async def listen_to_orders(self) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            self.obey(json.loads(line))

    def obey(self, order: dict[str, Any]) -> None:
        """Carry out one order."""
        what = order["do"]
        self.rate = int(order.get("rate", 0)) if what == "slow" else 0
        self.silent, self.refusing = what == "half", what == "refuse"
        if what in ("cut", "reset", "refuse"):
            for link in self.links:
                link.close(reset=what == "reset")
        if what == "half":
            for link in self.links:
                link.silent = True

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, far_writer)
        link.silent = self.silent
        self.links.add(link)
        try:
            await asyncio.gather(
                self.carry(link, reader, far_writer), self.carry(link, far_reader, writer)
            )
        finally:
            self.links.discard(link)
            link.close(reset=False)

    async def carry(
        self, link: Link, source: asyncio.StreamReader, target: asyncio.StreamWriter
    ) -> None:
        """One way of a link, until either end closes it."""
        try:
            while data := await source.read(CHUNK):
                await self.pour(link, data, target)
            while link.silent:
                await asyncio.sleep(SPOONFUL)
            target.write_eof()
        except OSError:
            link.close(reset=True)

    async def pour(self, link: Link, data: bytes, target: asyncio.StreamWriter) -> None:
        while data and not link.silent:
            portion = max(1, int(self.rate * SPOONFUL)) if self.rate else len(data)
            target.write(data[:portion])
            await target.drain()
            data = data[portion:]
            if self.rate:
                await asyncio.sleep(SPOONFUL)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--to", type=int, required=True)
    asked = parser.parse_args()
    asyncio.run(Proxy(port=asked.port, to=asked.to).serve())


if __name__ == "__main__":
    main()
