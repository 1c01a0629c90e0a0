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

REPLY_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])([^\n]*)|\r*)\n")
"""A code; if the line has more, whether another line follows ("-") and a text (RFC 5321 §4.2)."""

NOT_READY = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Lost(ConnectionError):
    """The server took nothing, or gave no reply: closed, timed out, or not SMTP."""


class Dialogue:
    """One SMTP session after its greeting. `waiting` is called while the server is slow."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.readable, self.writable = select.poll(), select.poll()
        self.readable.register(sock, select.POLLIN)
        self.writable.register(sock, select.POLLOUT)
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

    def has_heard(self, replies: re.Pattern[bytes]) -> bool:
        """Whether what was received begins with these replies, which then are heard."""
        if found := replies.match(self.received):
            self.received = self.received[found.end() :]
        return found is not None

    def reply(self, *, patience: float) -> tuple[int, str]:
        """The next reply, its lines joined by spaces; raises Lost after `patience` seconds."""
        deadline = time.monotonic() + patience
        code, more, text = self._reply_line(deadline)
        if more != b"-":
            return code, text
        texts, size = [text], len(text)
        while more == b"-":
            again, more, text = self._reply_line(deadline)
            size += len("250-") + len(text)
            if again != code or size > REPLY_LIMIT:
                raise Lost(f"not an SMTP reply: {again} after {code}")
            texts.append(text)
        return code, " ".join(filter(None, texts))

    def _reply_line(self, deadline: float) -> tuple[int, bytes, str]:
        """The code of a line, whether another follows, and its text."""
        while not (line := REPLY_LINE.match(self.received)):
            if b"\n" in self.received:
                raise Lost(f"not an SMTP reply: {self.received.splitlines()[0][:80]!r}")
            if len(self.received) > REPLY_LIMIT:
                raise Lost("not an SMTP reply: an endless line")
            self._wait(deadline - time.monotonic())
            self.received += self._receive()
        self.received = self.received[line.end() :]
        code, more, text = line.groups(b"")
        return int(code), more, text.decode("utf-8", "replace").strip()

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
        ready = self.writable if for_writing else self.readable
        deadline = time.monotonic() + patience
        while (left := deadline - time.monotonic()) > 0:
            if ready.poll(1000 * min(WAKE, left)):
                return
            self.waiting()
        raise Lost("the server did not answer in time")
