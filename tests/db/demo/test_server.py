import smtplib
from itertools import pairwise

import pytest
from django.conf import settings
from django.db import OperationalError

from demo.catcher.models import CapturedMail, FaultRules

pytestmark = pytest.mark.django_db

MAIL = "Subject: =?utf-8?b?7JW96rSA?=\r\n\r\n안녕하세요\r\n..\r\n".encode()


def send(smtp: smtplib.SMTP, *recipients: str, mail: bytes = MAIL) -> dict:
    """Send a mail from the shop; return the refused recipients and their replies."""
    return smtp.sendmail("shop@moa.example", recipients, mail)


def replies(smtp: smtplib.SMTP, address: str, tries: int) -> list[int]:
    """The code that answers RCPT, for one try after the other."""
    codes = []
    for _ in range(tries):
        smtp.ehlo_or_helo_if_needed()
        smtp.mail("shop@moa.example")
        codes.append(smtp.rcpt(address)[0])
        smtp.rset()
    return codes


def test_a_mail_is_kept_as_it_came(over_smtp):
    over_smtp(lambda smtp: send(smtp, "anna@shop.example"))

    mail = CapturedMail.objects.get()
    assert bytes(mail.raw) == MAIL
    assert (mail.sender, mail.recipient) == ("shop@moa.example", "anna@shop.example")
    assert (mail.subject, mail.size) == ("약관", len(MAIL))


def test_each_recipient_of_the_envelope_has_it_once(over_smtp):
    over_smtp(lambda smtp: send(smtp, "anna@shop.example", "ben@shop.example"))

    assert set(CapturedMail.objects.values_list("recipient", flat=True)) == {
        "anna@shop.example",
        "ben@shop.example",
    }


def test_it_offers_what_a_real_server_does(over_smtp):
    def features(smtp: smtplib.SMTP) -> dict[str, str]:
        smtp.ehlo()
        return smtp.esmtp_features

    offered = over_smtp(features)

    assert offered["size"] == str(settings.MAIL_CONTENT_LIMIT)
    assert {"8bitmime", "pipelining"} <= offered.keys()


def test_pipelined_commands_are_answered_in_order(over_smtp):
    def pipeline(smtp: smtplib.SMTP) -> list[int]:
        smtp.ehlo()
        smtp.send(b"MAIL FROM:<a@moa.example>\r\nRCPT TO:<b@moa.example>\r\nDATA\r\n")
        codes = [smtp.getreply()[0] for _ in range(3)]
        smtp.send(b"Subject: x\r\n\r\nx\r\n.\r\nRSET\r\n")
        return codes + [smtp.getreply()[0] for _ in range(2)]

    assert over_smtp(pipeline) == [250, 250, 354, 250, 250]
    assert CapturedMail.objects.count() == 1


def test_a_mail_above_the_limit_is_refused(over_smtp, settings):
    settings.MAIL_CONTENT_LIMIT = 1000

    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        over_smtp(lambda smtp: send(smtp, "anna@shop.example", mail=MAIL * 100))

    assert refused.value.smtp_code == 552
    assert not CapturedMail.objects.exists()


def test_a_refused_recipient_does_not_keep_the_mail_from_the_others(over_smtp):
    refused = over_smtp(lambda smtp: send(smtp, "bounce+550-5.1.1@shop.example", "ben@x.example"))

    assert refused == {"bounce+550-5.1.1@shop.example": (550, b"5.1.1 no such mailbox")}
    assert CapturedMail.objects.get().recipient == "ben@x.example"


def test_a_deferring_address_accepts_after_its_attempts_and_then_starts_over(over_smtp):
    codes = over_smtp(lambda smtp: replies(smtp, "defer+451@shop.example", 6))

    assert codes == [451, 451, 250, 451, 451, 250]


def test_a_421_is_followed_by_the_end_of_the_connection(over_smtp):
    def all_that_is_said(smtp: smtplib.SMTP) -> bytes:
        smtp.ehlo()
        smtp.mail("shop@moa.example")
        smtp.putcmd("rcpt", "TO:<slow@shop.example>")
        return smtp.file.read()

    assert over_smtp(all_that_is_said) == b"421 4.7.0 not now, try again later\r\n"


@pytest.mark.parametrize(
    ("address", "kept"), [("drop@shop.example", 0), ("drop+kept@shop.example", 1)]
)
def test_a_dropping_address_disconnects_after_end_of_data_without_a_reply(
    over_smtp, address, kept
):
    with pytest.raises(smtplib.SMTPServerDisconnected):
        over_smtp(lambda smtp: send(smtp, address))

    assert CapturedMail.objects.count() == kept


def test_a_late_address_is_answered_late(over_smtp, monkeypatch):
    waited = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("demo.catcher.server.asyncio.sleep", wait)

    over_smtp(lambda smtp: send(smtp, "late+3@shop.example"))

    assert waited == [3]
    assert CapturedMail.objects.count() == 1


def test_without_fault_rules_every_address_is_accepted(over_smtp):
    FaultRules.follow(False)

    codes = over_smtp(lambda smtp: replies(smtp, "bounce+550-5.1.1@shop.example", 2))

    assert codes == [250, 250]


@pytest.mark.django_db(transaction=True)
def test_a_mail_that_cannot_be_kept_is_not_accepted(over_smtp, monkeypatch):
    def refuse(mails):
        raise OperationalError("database is locked")

    monkeypatch.setattr(CapturedMail.objects, "bulk_create", refuse)

    with pytest.raises(smtplib.SMTPDataError) as refused:
        over_smtp(lambda smtp: send(smtp, "anna@shop.example"))

    assert refused.value.smtp_code == 451


def test_mails_are_numbered_in_the_order_they_came(over_smtp):
    over_smtp(lambda smtp: [send(smtp, f"reader{number}@x.example") for number in range(5)])

    mails = CapturedMail.objects.order_by("pk")
    assert [mail.recipient for mail in mails] == [f"reader{n}@x.example" for n in range(5)]
    assert all(a.received_at <= b.received_at for a, b in pairwise(mails))
