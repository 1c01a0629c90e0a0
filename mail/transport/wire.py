"""Wire: commands and replies over one socket, each wait bounded."""

import re
import select
import socket
import ssl
import time
from collections.abc import Callable

WAKE = 1.0  # seconds between calls of `while_waiting`
CHUNK = 16_384
REPLY_LIMIT = 16_384  # octets; RFC 5321 §4.5.3.1.5 allows 512 a line

REPLY_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])([^\n]*)|\r*)\n")
"""A code; if the line has more, whether another line follows ("-") and a text (RFC 5321 §4.2)."""

NOT_READY = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class ConnectionLost(ConnectionError):
    """The connection was closed, or a wait timed out, or what came was no SMTP reply."""


class Wire:
    """The socket of one SMTP session. `while_waiting` is called while the server is slow."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.readable, self.writable = select.poll(), select.poll()
        self.readable.register(sock, select.POLLIN)
        self.writable.register(sock, select.POLLOUT)
        self.received = b""
        self.while_waiting: Callable[[], None] = lambda: None

    def send(self, data: bytes, *, patience: float) -> None:
        """Write all of `data`; raises ConnectionLost when nothing is taken for `patience` seconds."""
        sent = 0
        while sent < len(data):
            sent += self.send_now(data[sent : sent + CHUNK]) or self.wait_for_room(patience)

    def send_now(self, data: bytes) -> int:
        """Write what the socket has room for and return how many octets; raises ConnectionLost.

        Over TLS, what was not taken must be sent again unchanged.
        """
        try:
            return self.sock.send(data)
        except NOT_READY:
            return 0
        except OSError as error:
            raise ConnectionLost(f"{type(error).__name__} while writing") from error

    def wait_for_room(self, patience: float) -> int:
        """Wait until the socket has room; returns 0, the octets sent. Raises ConnectionLost."""
        self._wait(patience, for_writing=True)
        return 0

    def has_received(self, replies: re.Pattern[bytes]) -> bool:
        """Whether what was received begins with these replies; if so, they are consumed."""
        if found := replies.match(self.received):
            self.received = self.received[found.end() :]
        return found is not None

    def read_reply(self, *, patience: float) -> tuple[int, str]:
        """The code and text of the next reply, its lines joined by spaces.

        Raises ConnectionLost when it is not complete after `patience` seconds.
        """
        deadline = time.monotonic() + patience
        code, more, text = self._read_line(deadline)
        if more != b"-":
            return code, text
        texts, size = [text], len(text)
        while more == b"-":
            again, more, text = self._read_line(deadline)
            size += len("250-") + len(text)
            if again != code or size > REPLY_LIMIT:
                raise ConnectionLost(f"not an SMTP reply: {again} after {code}")
            texts.append(text)
        return code, " ".join(filter(None, texts))

    def _read_line(self, deadline: float) -> tuple[int, bytes, str]:
        """The code of a line, "-" if another line follows, and its text."""
        while not (line := REPLY_LINE.match(self.received)):
            if b"\n" in self.received:
                raise ConnectionLost(f"not an SMTP reply: {self.received.splitlines()[0][:80]!r}")
            if len(self.received) > REPLY_LIMIT:
                raise ConnectionLost("not an SMTP reply: an endless line")
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
            raise ConnectionLost(f"{type(error).__name__} while waiting for a reply") from error
        if not data:
            raise ConnectionLost("the server closed the connection")
        return data

    def _wait(self, patience: float, *, for_writing: bool = False) -> None:
        """Wait until the socket is ready; raises ConnectionLost."""
        if not for_writing and isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return
        ready = self.writable if for_writing else self.readable
        deadline = time.monotonic() + patience
        while (left := deadline - time.monotonic()) > 0:
            if ready.poll(1000 * min(WAKE, left)):
                return
            self.while_waiting()
        raise ConnectionLost("the server did not reply in time")
