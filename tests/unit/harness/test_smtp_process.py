"""The SMTP server as a process, from which the figures of the benchmark are read."""

import smtplib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.harness.smtp_process import SmtpProcess

MAIL = "MAIL FROM:<shop@moa.example>\r\nRCPT TO:<{}>\r\nDATA\r\nSubject: n\r\n\r\n..dots\r\n.\r\n"


@pytest.fixture
def sink() -> Iterator[SmtpProcess]:
    with SmtpProcess() as server:
        yield server


@pytest.fixture
def slow_sink() -> Iterator[SmtpProcess]:
    with SmtpProcess(pace=0.4) as server:
        yield server


def send(sink: SmtpProcess, *recipients: str) -> None:
    with smtplib.SMTP("127.0.0.1", sink.port) as client:
        for recipient in recipients:
            client.sendmail("shop@moa.example", recipient, "Subject: n\r\n\r\nn\r\n")


def test_mails_that_come_in_one_write_are_all_taken_in_their_order(sink: SmtpProcess):
    readers = [f"reader{number}@moa.example" for number in range(50)]
    with socket.create_connection(("127.0.0.1", sink.port)) as client:
        client.sendall(b"EHLO test\r\n" + "".join(map(MAIL.format, readers)).encode())
        sink.wait_for(50)

    assert [one.recipient for one in sink.taken()] == readers


def test_each_mail_takes_its_time_of_the_connection(slow_sink: SmtpProcess):
    send(slow_sink, "one@moa.example", "two@moa.example")

    slow_sink.wait_for(2)
    first, second = slow_sink.taken()
    assert second.at - first.at >= 0.4


def test_connections_do_not_wait_for_each_other(slow_sink: SmtpProcess):
    clients = [
        threading.Thread(target=send, args=[slow_sink, f"reader{number}@moa.example"])
        for number in range(30)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()

    slow_sink.wait_for(30)
    moments = [one.at for one in slow_sink.taken()]
    assert max(moments) - min(moments) < 30 * 0.4 / 2
