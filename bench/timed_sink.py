"""An SMTP server that writes down when it took which mail: `python -m bench.timed_sink --port N …`.

One process, one event loop, any number of connections; each mail takes `--delay` seconds of its
connection, half before the content and half after the dot, as a busy server's do. It offers
PIPELINING and takes whatever it is given.
"""

import argparse
import asyncio
import time
from collections.abc import Callable
from typing import IO

END = b"\r\n.\r\n"


class Session(asyncio.Protocol):
    """One connection: commands are obeyed in turn, replies leave when nothing more can be read."""

    def __init__(self, take: Callable[[str], None], delay: float) -> None:
        self.take, self.delay = take, delay
        self.incoming, self.outgoing = bytearray(), bytearray()
        self.recipients: list[str] = []
        self.in_content = self.rests = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self.transport = transport
        transport.write(b"220 bench ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self.incoming += data
        self.go_on()

    def go_on(self) -> None:
        """Obey what is there, up to a rest."""
        while not self.rests and (self.end_content() if self.in_content else self.obey()):
            pass
        if self.outgoing:
            self.transport.write(bytes(self.outgoing))
            self.outgoing.clear()

    def obey(self) -> bool:
        """Obey one command; whether there was one."""
        end = self.incoming.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self.incoming[:end])
        del self.incoming[: end + 2]
        match line[:4].upper():
            case b"EHLO":
                self.outgoing += (
                    b"250-bench\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 SIZE 20000000\r\n"
                )
            case b"RCPT":
                self.recipients.append(line.partition(b"<")[2].partition(b">")[0].decode())
                self.outgoing += b"250 2.1.5 ok\r\n"
            case b"DATA":
                self.after_a_rest(self.begin_content)
            case b"QUIT":
                self.outgoing += b"221 2.0.0 bye\r\n"
                self.transport.write(bytes(self.outgoing))
                self.transport.close()
                return False
            case _:
                self.outgoing += b"250 2.0.0 ok\r\n"
        return True

    def begin_content(self) -> None:
        self.outgoing += b"354 go ahead\r\n"
        self.incoming[:0] = b"\r\n"  # so that a dot at once ends an empty mail, too
        self.in_content = True

    def end_content(self) -> bool:
        """Look for the dot; whether it is there."""
        end = self.incoming.find(END)
        if end < 0:
            return False
        del self.incoming[: end + len(END)]
        self.in_content = False
        self.after_a_rest(self.accept)
        return True

    def accept(self) -> None:
        for recipient in self.recipients:
            self.take(recipient)
        self.recipients = []
        self.outgoing += b"250 2.0.0 taken\r\n"

    def after_a_rest(self, act: Callable[[], None]) -> None:
        if not self.delay:
            act()
            return
        self.rests = True
        asyncio.get_running_loop().call_later(self.delay / 2, self.wake, act)

    def wake(self, act: Callable[[], None]) -> None:
        self.rests = False
        act()
        self.go_on()


async def serve(port: int, delay: float, log: IO[str]) -> None:
    """Serve until the process ends; the log names each mail with the moment it was taken."""

    def take(recipient: str) -> None:
        log.write(f"{time.time():.6f} {recipient}\n")

    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Session(take, delay), "127.0.0.1", port, backlog=1000
    )
    await server.start_serving()
    while True:  # the readers of the log look on while it is written
        await asyncio.sleep(0.01)
        log.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay", type=float, default=0, help="Seconds for each mail.")
    parser.add_argument("--log", required=True)
    asked = parser.parse_args()
    with open(asked.log, "a", encoding="utf-8") as log:
        asyncio.run(serve(asked.port, asked.delay, log))


if __name__ == "__main__":
    main()
