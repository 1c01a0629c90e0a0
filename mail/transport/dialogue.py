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

REPLY = re.compile(rb"[2-5]\d\d(?:[ -]|$)")
NOT_READY = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Lost(ConnectionError):
    """The server took nothing, or gave no reply: closed, timed out, or not SMTP."""


class Dialogue:
    """One SMTP session after its greeting. `waiting` is called while the server is slow."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.received = b""
        self.waiting: Callable[[], None] = lambda: None

    def send(self, data: bytes, *, patience: float) -> None:
        """Write all of `data`; raises Lost when the server takes none for `patience` seconds."""
        sent = 0
        while sent < len(data):
            sent += self.push(data[sent : sent + CHUNK]) or self.await_room(patience=patience)

    def push(self, data: bytes) -> int:
        """Write what the socket has room for just now, and return how many octets; raises Lost.

        Over TLS what is not taken must be pushed again as it is.
        """
        try:
            return self.sock.send(data)
        except NOT_READY:
            return 0
        except OSError as error:
            raise Lost(f"{type(error).__name__} while something was written") from error

    def await_room(self, *, patience: float) -> int:
        """Wait until something can be pushed, and return how much was: nothing. Raises Lost."""
        self._wait(patience, for_writing=True)
        return 0

    def reply(self, *, patience: float) -> tuple[int, str]:
        """The next reply, its lines joined by spaces; raises Lost after `patience` seconds."""
        deadline = time.monotonic() + patience
        code, said = self._reply_line(deadline)
        if said[:1] != b"-":
            return code, said[1:].decode("utf-8", "replace").strip()
        texts, size = [said], len(said)
        while texts[-1][:1] == b"-":
            again, said = self._reply_line(deadline)
            size += len(said)
            if again != code or size > REPLY_LIMIT:
                raise Lost(f"not an SMTP reply: {again} after {code}")
            texts.append(said)
        shown = (text[1:].decode("utf-8", "replace").strip() for text in texts)
        return code, " ".join(filter(None, shown))

    def _reply_line(self, deadline: float) -> tuple[int, bytes]:
        """The code of a line, and what follows: nothing, or "-" or a space and a text."""
        line = self._line(deadline)
        if not REPLY.match(line):
            raise Lost(f"not an SMTP reply: {line[:80]!r}")
        return int(line[:3]), line[3:]

    def _line(self, deadline: float) -> bytes:
        while b"\n" not in self.received:
            if len(self.received) > REPLY_LIMIT:
                raise Lost("not an SMTP reply: an endless line")
            self._wait(deadline - time.monotonic())
            self.received += self._receive()
        line, _, self.received = self.received.partition(b"\n")
        return line.rstrip(b"\r")

    def _receive(self) -> bytes:
        try:
            data = self.sock.recv(65_536)
        except NOT_READY:
            return b""
        except OSError as error:
            raise Lost(f"{type(error).__name__} while a reply was awaited") from error
        if not data:
            raise Lost("the server closed the connection")
        return data

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
