"""The SMTP server and the proxy of a run, as processes of their own."""

import smtplib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.ports import PATIENCE, wait_until
from tests.harness.smtp_process import SmtpProcess
from tests.harness.steered import Steered

MAIL = "Message-ID: <1@moa.example>\r\nSubject: hello\r\n\r\nhello\r\n"


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "sink.jsonl"


@pytest.fixture
def sink(log: Path) -> Iterator[SmtpProcess]:
    with SmtpProcess(log=log) as started:
        yield started


@pytest.fixture
def proxy(sink: SmtpProcess) -> Iterator[Steered]:
    with Steered("chaos.proxy", f"--to={sink.port}") as started:
        yield started


def taken(sink: SmtpProcess) -> list[tuple[str, str]]:
    return [(one.message_id, one.recipient) for one in sink.taken()]


def test_a_mail_is_on_the_log_before_its_sender_reads_250(sink: SmtpProcess):
    with smtplib.SMTP("127.0.0.1", sink.port) as client:
        client.sendmail("shop@moa.example", ["kim@example.com", "lee@example.com"], MAIL)

        assert taken(sink) == [
            ("<1@moa.example>", "kim@example.com"),
            ("<1@moa.example>", "lee@example.com"),
        ]


def test_the_log_outlives_the_server(sink: SmtpProcess, log: Path):
    with smtplib.SMTP("127.0.0.1", sink.port) as client:
        client.sendmail("shop@moa.example", ["kim@example.com"], MAIL)
        sink.kill()
        client.close()

    with (
        SmtpProcess(log=log, port=sink.port),
        smtplib.SMTP("127.0.0.1", sink.port) as client,
    ):
        client.sendmail("shop@moa.example", ["kim@example.com"], MAIL)

    assert len(taken(sink)) == 2


def test_the_server_refuses_when_it_is_told_to(sink: SmtpProcess):
    sink.order(do="on", phase="rcpt", reply="550 5.1.1 no", times=1)
    with smtplib.SMTP("127.0.0.1", sink.port) as client:
        wait_until(lambda: refuses(client), what="the rule")

        client.sendmail("shop@moa.example", ["kim@example.com"], MAIL)

    assert len(taken(sink)) >= 1


def refuses(client: smtplib.SMTP) -> bool:
    try:
        client.sendmail("shop@moa.example", ["kim@example.com"], MAIL)
    except smtplib.SMTPRecipientsRefused:
        return True
    return False


def test_the_proxy_passes_mails_on(proxy: Steered, sink: SmtpProcess):
    with smtplib.SMTP("127.0.0.1", proxy.port) as client:
        client.sendmail("shop@moa.example", ["kim@example.com"], MAIL)

    assert len(taken(sink)) == 1


@pytest.mark.parametrize("what", ["cut", "reset"])
def test_the_proxy_ends_links_and_takes_new_ones(proxy: Steered, what: str):
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE) as link:
        assert link.recv(100)
        proxy.order(do=what)

        assert ended(link)
    with smtplib.SMTP("127.0.0.1", proxy.port) as client:
        client.noop()


def ended(link: socket.socket) -> bool:
    try:
        return link.recv(100) == b""
    except ConnectionResetError:
        return True


def test_the_proxy_falls_silent_and_closes_nothing(proxy: Steered):
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE) as link:
        assert link.recv(100)
        proxy.order(do="half")
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=0.5) as second:
            link.settimeout(0.5)
            link.sendall(b"NOOP\r\n")

            for silent in (link, second):
                with pytest.raises(TimeoutError):
                    silent.recv(100)


def test_the_proxy_refuses_until_it_is_cleared(proxy: Steered):
    proxy.order(do="refuse")
    wait_until(lambda: not greets(proxy.port), what="the refusal")

    proxy.order(do="clear")

    wait_until(lambda: greets(proxy.port), what="the greeting")


def greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as link:
            return link.recv(100).startswith(b"220")
    except ConnectionError:
        return False
