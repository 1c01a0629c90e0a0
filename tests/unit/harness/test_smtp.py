"""The scripted SMTP server does what the tests believe it does."""

import smtplib

import pytest

from tests.harness.smtp import SmtpServer

MAIL = b"Subject: hello\r\nMessage-ID: <1@moa.example>\r\n\r\ntext\r\n"


def send(smtp: SmtpServer, *recipients: str, mail: bytes = MAIL) -> dict:
    with smtplib.SMTP("127.0.0.1", smtp.port, timeout=5) as client:
        return client.sendmail("shop@moa.example", recipients or ("kim@example.com",), mail)


def test_a_mail_is_on_the_log_once_per_recipient(smtp: SmtpServer):
    send(smtp, "kim@example.com", "lee@example.com")

    assert [taken.recipient for taken in smtp.taken] == ["kim@example.com", "lee@example.com"]
    assert {(taken.sender, taken.message_id, taken.raw) for taken in smtp.taken} == {
        ("shop@moa.example", "<1@moa.example>", MAIL)
    }
    assert smtp.taken[0].mail["Subject"] == "hello"


@pytest.mark.parametrize("body", [b".\r\n", b"..\r\n.x\r\n", b"", b"\r\n", b"a\r\n.\r\n.\r\n"])
def test_dot_stuffing_is_undone(body: bytes, smtp: SmtpServer):
    send(smtp, mail=b"Subject: x\r\n\r\n" + body)

    assert smtp.taken[0].raw == b"Subject: x\r\n\r\n" + body


@pytest.mark.parametrize(
    ("phase", "error"),
    [
        ("connect", smtplib.SMTPConnectError),
        ("ehlo", smtplib.SMTPHeloError),
        ("mail", smtplib.SMTPSenderRefused),
        ("rcpt", smtplib.SMTPRecipientsRefused),
        ("data", smtplib.SMTPDataError),
        ("dot", smtplib.SMTPDataError),
    ],
)
def test_a_rule_refuses_at_its_phase(phase: str, error: type[Exception], smtp: SmtpServer):
    smtp.on(phase, reply="554 no")

    with pytest.raises(error):
        send(smtp)

    assert smtp.taken == []


@pytest.mark.parametrize("phase", ["connect", "ehlo", "mail", "rcpt", "data", "dot"])
def test_a_rule_drops_the_connection_at_its_phase(phase: str, smtp: SmtpServer):
    smtp.on(phase, drop=True)

    with pytest.raises((smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError)):
        send(smtp)

    assert smtp.taken == []


def test_a_mail_may_be_taken_and_never_confirmed(smtp: SmtpServer):
    smtp.on("dot", drop=True, takes=True)

    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(smtp)

    assert len(smtp.taken) == 1


def test_a_rule_is_for_its_address_and_its_times(smtp: SmtpServer):
    smtp.on("rcpt", address="gone@*", reply="550 gone", times=1)

    refused = send(smtp, "kim@example.com", "gone@example.com")
    later = send(smtp, "kim@example.com", "gone@example.com")

    assert set(refused) == {"gone@example.com"}
    assert later == {}


def test_it_listens_on_the_same_port_again_and_cuts_who_was_connected(smtp: SmtpServer):
    port, client = smtp.port, smtplib.SMTP("127.0.0.1", smtp.port, timeout=5)

    smtp.stop()
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.ehlo()
    with pytest.raises(ConnectionRefusedError):
        send(smtp)
    smtp.start()
    send(smtp)

    client.close()
    assert smtp.port == port
    assert len(smtp.taken) == 1
