"""One socket, commands and replies: bounded waits, and what is no reply."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.transport import wire
from mail.transport.smtp import _stuffed
from mail.transport.wire import REPLY_LIMIT, ConnectionLost, Wire

SHORT = 0.1


@pytest.fixture
def ends() -> Iterator[tuple[Wire, socket.socket]]:
    """A dialogue, and the server's end of its connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Wire(ours), theirs


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"250 2.0.0 ok\r\n", (250, "2.0.0 ok")),
        (b"250 ok\n", (250, "ok")),
        (b"250\r\n", (250, "")),
        (b"250-one\r\n250-two\r\n250 three\r\n", (250, "one two three")),
        (b"250-one\r\n250\r\n", (250, "one")),
        ("550 사서함 없음\r\n".encode(), (550, "사서함 없음")),
        (b"550 \xff\xfe\r\n", (550, "\ufffd\ufffd")),
        (b"599 odd\r\n", (599, "odd")),
    ],
)
def test_a_reply_is_its_code_and_its_text(ends, written: bytes, read: tuple[int, str]):
    ours, theirs = ends
    theirs.sendall(written)

    assert ours.read_reply(patience=1) == read


@pytest.mark.parametrize(
    "written",
    [
        b"hello\r\n",
        b"\r\n",
        b"25 ok\r\n",
        b"2500 ok\r\n",
        b"150 ok\r\n",
        b"600 ok\r\n",
        b"250_ok\r\n",
        b"250-one\r\n550 two\r\n",
        b"250-" + b"x" * REPLY_LIMIT + b"\r\n250 ok\r\n",
        b"250-x\r\n" * REPLY_LIMIT,
        b"x" * (REPLY_LIMIT + 70_000),
    ],
)
def test_what_is_no_reply_is_as_good_as_silence(ends, written: bytes):
    ours, theirs = ends
    writer = threading.Thread(target=lambda: _write(theirs, written))
    writer.start()

    with pytest.raises(ConnectionLost, match="not an SMTP reply"):
        ours.read_reply(patience=1)

    ours.sock.close()
    writer.join()


def _write(theirs: socket.socket, written: bytes) -> None:
    with contextlib.suppress(OSError):  # it is not read to its end
        theirs.sendall(written)


def test_replies_that_come_together_are_read_one_by_one(ends):
    ours, theirs = ends
    theirs.sendall(b"250 one\r\n354 two\r\n")

    assert [ours.read_reply(patience=1), ours.read_reply(patience=1)] == [
        (250, "one"),
        (354, "two"),
    ]


def test_a_reply_in_small_pieces_is_put_together(ends):
    ours, theirs = ends
    pieces = iter([b"2", b"50", b"-on", b"e\r", b"\n250 tw", b"o\r\n"])
    theirs.sendall(next(pieces))
    receive = ours.sock.recv

    class Slow:
        """A socket on which the next piece comes when the last one was read."""

        fileno, setblocking = ours.sock.fileno, ours.sock.setblocking

        def recv(self, size: int) -> bytes:
            received = receive(size)
            if piece := next(pieces, b""):
                theirs.sendall(piece)
            return received

    spoken = Wire(Slow())  # type: ignore[arg-type]

    assert spoken.read_reply(patience=1) == (250, "one two")


def test_a_reply_that_never_ends_is_bounded_as_a_whole(ends, monkeypatch):
    """Single octets now and then do not extend the wait: the patience is per reply."""
    ours, theirs = ends
    monkeypatch.setattr(wire, "WAKE", SHORT / 10)
    ours.while_waiting = lambda: theirs.sendall(b"2")
    began = time.monotonic()

    with pytest.raises(ConnectionLost, match="in time"):
        ours.read_reply(patience=SHORT)

    assert time.monotonic() - began < SHORT + 5


@pytest.mark.parametrize("said", [b"", b"250 o"])
def test_a_closed_connection_is_lost(ends, said: bytes):
    ours, theirs = ends
    theirs.sendall(said)
    theirs.close()

    with pytest.raises(ConnectionLost, match="closed"):
        ours.read_reply(patience=1)


def test_silence_is_lost_after_its_time_with_signs_of_life(ends, monkeypatch):
    ours, _ = ends
    monkeypatch.setattr(wire, "WAKE", SHORT / 5)
    signs: list[int] = []
    ours.while_waiting = lambda: signs.append(1)

    with pytest.raises(ConnectionLost, match="in time"):
        ours.read_reply(patience=SHORT)

    assert len(signs) >= 3


def test_a_server_that_reads_nothing_is_lost(ends, monkeypatch):
    ours, _ = ends
    monkeypatch.setattr(wire, "WAKE", SHORT / 5)
    signs: list[int] = []
    ours.while_waiting = lambda: signs.append(1)

    with pytest.raises(OSError, match="time"):
        ours.send(b"x" * 10_000_000, patience=SHORT)

    with pytest.raises(ConnectionLost, match="in time"):
        ours.wait_for_room(SHORT)
    assert signs


def test_i3_there_is_room_for_the_end_of_data_before_the_claim_is_asked(ends, monkeypatch):
    """I3: the end of data never waits in a full socket while a lease runs out."""
    ours, theirs = ends
    monkeypatch.setattr(wire, "WAKE", SHORT)
    sent = _fill(ours.sock)
    reader = threading.Thread(target=lambda: _read(theirs, sent))
    ours.while_waiting = reader.start

    ours.wait_for_room(5)

    reader.join()
    ours.sock.setblocking(False)
    assert ours.sock.send(b".\r\n") == 3


def _fill(ours: socket.socket) -> int:
    """Write until the socket takes no more; return how many octets it took."""
    ours.setblocking(False)
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += ours.send(b"x" * 1000)
    ours.setblocking(True)
    return sent


def _read(theirs: socket.socket, count: int) -> None:
    while count > 0:
        count -= len(theirs.recv(count))


lines = st.lists(
    st.one_of(st.binary(max_size=20).filter(lambda b: not set(b) & set(b"\r\n")), st.just(b".")),
    max_size=10,
)


@given(lines)
def test_stuffed_content_holds_no_lone_dot_and_can_be_read_back(content: list[bytes]):
    """RFC 5321 §4.5.2."""
    stuffed = _stuffed(b"\r\n".join(content))

    said = stuffed.split(b"\r\n")
    assert said.pop() == b""
    assert b"." not in said
    read_back = [line.removeprefix(b".") for line in said]
    assert read_back in (content, content[:-1] if content and not content[-1] else [b""])
