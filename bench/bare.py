"""A bare sender: the rate of a Python process that decides nothing and records nothing.

    python -m bench.bare PORT MAILS OCTETS [DATABASE_URL]

One connection, always the same mail, the next envelope in one write with the end of the mail
before. With a database it writes a checkpoint before each end of data, as Moa does, without
waiting for the disk. Moa adds the outbox, claims, results, and an individual mail for each.
"""

import os
import socket
import sys
from collections.abc import Callable

import psycopg

ENVELOPE = b"MAIL FROM:<shop@moa.example>\r\nRCPT TO:<reader@example.com>\r\nDATA\r\n"
LINE = b"x" * 70 + b"\r\n"
TABLE = """
    CREATE TABLE IF NOT EXISTS bare (id bigint PRIMARY KEY, through bigint, lease timestamptz)
"""
MARK = """
    PREPARE mark (bigint, bigint) AS
    UPDATE bare SET through = $2, lease = statement_timestamp() WHERE id = $1 RETURNING id
"""


def send(port: int, mails: int, octets: int, mark: Callable[[int], None]) -> None:
    """Send that many mails and quit. Raises ConnectionError if the server disconnects."""
    content = LINE * (octets // len(LINE)) + b".\r\n"
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hear(server, 1)
        server.sendall(b"HELO bench.example\r\n" + ENVELOPE)
        hear(server, 4)
        for number in range(mails):
            mark(number)
            is_last = number == mails - 1
            server.sendall(content + (b"QUIT\r\n" if is_last else ENVELOPE))
            hear(server, 2 if is_last else 4)


def hear(server: socket.socket, replies: int) -> None:
    """Read that many one-line replies."""
    while replies > 0:
        said = server.recv(65_536)
        if not said:
            raise ConnectionError("the server disconnected")
        replies -= said.count(b"\n")


def marker(url: str) -> Callable[[int], None]:
    """A function that writes the checkpoint of this process's own row."""
    session = psycopg.connect(url, autocommit=True)
    session.execute("SET synchronous_commit = off")
    session.execute("DELETE FROM bare WHERE id = %s", [os.getpid()])
    session.execute("INSERT INTO bare VALUES (%s, 0, now())", [os.getpid()])
    session.execute(MARK)
    own = str(os.getpid()).encode()

    def mark(number: int) -> None:
        marked = session.pgconn.exec_prepared(b"mark", [own, str(number).encode()])
        if not marked.ntuples:
            raise RuntimeError("the mark found no row")

    return mark


if __name__ == "__main__":
    port, mails, octets, *database = sys.argv[1:]
    send(
        int(port),
        int(mails),
        int(octets),
        marker(database[0]) if database else lambda number: None,
    )
