"""Dialogue: commands and replies on one socket, each wait bounded and watched."""

import re
import select
import socket
import ssl
import time
from collections.abc import Callable

WAKE = 1.0  # seconds between signs of life while the other side is awaited
CHUNK = 16_384
REPLY_LIMIT = 16_384  # octets; RFC 5321 §4.5.3.1.5 allows 512 a line

REPLY = re.compile(rb"^([2-5]\d\d)(?:([ -])(.*))?$")


class Lost(ConnectionError):
    """The server took nothing, or gave no reply: closed, timed out, or not SMTP."""


class Dialogue:
    """One SMTP session after its greeting. `waiting` is called while the server is slow."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = b""
        self.waiting: Callable[[], None] = lambda: None

    def send(self, data: bytes, *, patience: float) -> None:
        """Write all of `data`; raises Lost when the server takes none for `patience` seconds."""
        if self.sock.gettimeout() != patience:
            self.sock.settimeout(patience)
        for start in range(0, len(data), CHUNK):
            self._wait(patience, for_writing=True)
            try:
                self.sock.sendall(data[start : start + CHUNK])
            except OSError as error:
                raise Lost(f"{type(error).__name__} while a command was written") from error

    def push(self, data: bytes) -> int:
        """Write what the socket has room for, and return how many octets; raises Lost.

        Whoever must know what has left waits for room before, and asks again after.
        """
        try:
            return self.sock.send(data)
        except OSError as error:
            raise Lost(f"{type(error).__name__} while the content was written") from error

    def await_room(self, *, patience: float) -> None:
        """Wait until a few octets can be sent without waiting; raises Lost.

        Whoever must not write after some moment waits here, looks at the clock, and then writes.
        """
        self._wait(patience, for_writing=True)

    def reply(self, *, patience: float) -> tuple[int, str]:
        """The next reply, its lines joined by spaces; raises Lost after `patience` seconds."""
        deadline = time.monotonic() + patience
        code, texts, size = 0, [], 0
        while True:
            line = self._line(deadline)
            match = REPLY.match(line)
            size += len(line)
            if not match or (code and int(match[1]) != code) or size > REPLY_LIMIT:
                raise Lost(f"not an SMTP reply: {line[:80]!r}")
            code = int(match[1])
            texts.append((match[3] or b"").decode("utf-8", "replace").strip())
            if match[2] != b"-":
                return code, " ".join(filter(None, texts))

    def _line(self, deadline: float) -> bytes:
        while b"\n" not in self.received:
            if len(self.received) > REPLY_LIMIT:
                raise Lost("not an SMTP reply: an endless line")
            self._wait(deadline - time.monotonic())
            try:
                data = self.sock.recv(65_536)
            except OSError as error:
                raise Lost(f"{type(error).__name__} while a reply was awaited") from error
            if not data:
                raise Lost("the server closed the connection")
            self.received += data
        line, _, self.received = self.received.partition(b"\n")
        return line.rstrip(b"\r")

    def _wait(self, patience: float, *, for_writing: bool = False) -> None:
        """Wait until the socket is ready, calling `waiting` every WAKE seconds; raises Lost."""
        if not for_writing and isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return
        deadline = time.monotonic() + patience
        read, write = ([], [self.sock]) if for_writing else ([self.sock], [])
        while (left := deadline - time.monotonic()) > 0:
            if any(select.select(read, write, [], min(WAKE, left))):
                return
            self.waiting()
        raise Lost("the server did not answer in time")
