"""Any Django e-mail backend as a transport, and the mail it gets."""

import smtplib
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage as Mime
from typing import Any, ClassVar

import pytest
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from hypothesis import given
from hypothesis import strategies as st

from mail.content import builder
from mail.transport.backend import BackendConnection, stored_email
from mail.transport.base import Envelope
from mail.transport.classification import Outcome, classify
from mail.transport.replies import Phase, Reply
from tests.harness.mailers import SMTP
from tests.harness.smtp import SmtpServer
from tests.unit.mail.mails import receipt

PATH = f"{__name__}.Backend"


class Backend(BaseEmailBackend):
    """Does as it is told: `says` is raised or returned."""

    says: ClassVar[Any] = 1
    opening: ClassVar[Exception | None] = None
    closing: ClassVar[Exception | None] = None
    sent: ClassVar[list[EmailMessage]] = []
    opened: ClassVar[int] = 0

    def open(self) -> None:
        Backend.opened += 1
        if self.opening:
            raise self.opening

    def close(self) -> None:
        if self.closing:
            raise self.closing

    def send_messages(self, email_messages: list[EmailMessage]) -> Any:
        if isinstance(self.says, Exception):
            raise self.says
        self.sent.extend(email_messages)
        return self.says


class Status(Exception):
    """As django-anymail and others tell of an HTTP API."""

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


class AnymailRecipientsRefused(Exception):
    """As django-anymail raises it: no reply, and a status that is not there."""

    status_code = None


class Callbacks:
    dots = 0

    def before_end_of_data(self) -> None:
        self.dots += 1

    def while_waiting(self) -> None:
        """Not called by this transport."""


@pytest.fixture(autouse=True)
def _forgetful(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Backend, "sent", [])
    monkeypatch.setattr(Backend, "opened", 0)
    return


def envelope(email: EmailMessage | None = None, recipient: str = "kim@example.com") -> Envelope:
    built = builder.build(email or receipt(), message_id="<1@moa.example>")
    return Envelope(sender=built.envelope_from, recipient=recipient, content=built.mime)


def offer(says: Any, monkeypatch: pytest.MonkeyPatch) -> Reply:
    monkeypatch.setattr(Backend, "says", says)
    return BackendConnection(PATH).deliver(envelope(), Callbacks())


@pytest.mark.parametrize(
    ("says", "outcome"),
    [
        (1, Outcome.SENT),
        (0, Outcome.DEFERRED),
        (smtplib.SMTPRecipientsRefused({"kim@example.com": (550, b"5.1.1 no")}), Outcome.FAILED),
        (smtplib.SMTPRecipientsRefused({"kim@example.com": (450, b"later")}), Outcome.DEFERRED),
        (smtplib.SMTPRecipientsRefused({}), Outcome.FAILED),
        (AnymailRecipientsRefused(), Outcome.FAILED),
        (smtplib.SMTPSenderRefused(550, b"not you", "shop@moa.example"), Outcome.FAILED),
        (smtplib.SMTPAuthenticationError(535, b"who"), Outcome.RETURNED),
        (smtplib.SMTPDataError(554, b"spam"), Outcome.FAILED),
        (smtplib.SMTPDataError(451, b"later"), Outcome.DEFERRED),
        (smtplib.SMTPDataError(421, b"bye"), Outcome.RETURNED),
        (smtplib.SMTPResponseException(-1, b"?"), Outcome.UNCERTAIN),
        (Status(400), Outcome.FAILED),
        (Status(422), Outcome.FAILED),
        (Status(401), Outcome.RETURNED),
        (Status(403), Outcome.RETURNED),
        (Status(429), Outcome.RETURNED),
        (Status(408), Outcome.DEFERRED),
        (Status(500), Outcome.DEFERRED),
        (Status(503), Outcome.DEFERRED),
        (smtplib.SMTPServerDisconnected("gone"), Outcome.UNCERTAIN),
        (TimeoutError("late"), Outcome.UNCERTAIN),
        (ConnectionResetError("gone"), Outcome.UNCERTAIN),
        (KeyError("a fault of the backend"), Outcome.UNCERTAIN),
    ],
    ids=repr,
)
def test_i5_a_refusal_or_a_status_is_certain_and_any_other_error_is_not(
    monkeypatch, says: Any, outcome: Outcome
):
    """I5: a backend's return value decides; after what it raises, nobody can know."""
    assert classify(offer(says, monkeypatch)).outcome is outcome


def test_a_refusal_is_reported_with_its_code_and_text(monkeypatch):
    refusal = smtplib.SMTPRecipientsRefused({"kim@example.com": (550, b"5.1.1 no \0such user")})

    reply = offer(refusal, monkeypatch)

    assert (reply.phase, reply.code, reply.host) == (Phase.RCPT, 550, PATH)
    assert (reply.enhanced, reply.text) == ("5.1.1", "no such user")


def test_an_error_is_reported_by_its_name_alone(monkeypatch):
    """I10: its text may hold the mail."""
    reply = offer(ValueError("kim@example.com has no money"), monkeypatch)

    assert reply.text == "ValueError"


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        smtplib.SMTPAuthenticationError(535, b"who"),
        Status(404),
        Status(503),
    ],
    ids=repr,
)
def test_i11_a_backend_that_does_not_open_holds_the_transport(monkeypatch, error: Exception):
    """I11: trouble with the server spends no attempts, and nothing was uncertain."""
    monkeypatch.setattr(Backend, "opening", error)
    callbacks = Callbacks()

    reply = BackendConnection(PATH).deliver(envelope(), callbacks)

    assert (classify(reply).outcome, callbacks.dots) == (Outcome.RETURNED, 0)


def test_i3_the_backend_is_not_called_when_the_claim_forbids_it():
    """I3: past the deadline nothing is handed to the backend."""
    callbacks = Callbacks()

    def refuse() -> None:
        raise InterruptedError

    callbacks.before_end_of_data = refuse  # type: ignore[method-assign]

    with pytest.raises(InterruptedError):
        BackendConnection(PATH).deliver(envelope(), callbacks)

    assert Backend.sent == []


def test_a_backend_is_opened_once_and_again_after_trouble(monkeypatch):
    transport = BackendConnection(PATH)
    for _ in range(3):
        transport.deliver(envelope(), Callbacks())
    monkeypatch.setattr(Backend, "says", TimeoutError())
    transport.deliver(envelope(), Callbacks())
    monkeypatch.setattr(Backend, "says", 1)

    reply = transport.deliver(envelope(), Callbacks())

    assert (reply.code, Backend.opened) == (250, 2)


def test_a_backend_that_does_not_close_changes_nothing(monkeypatch):
    transport = BackendConnection(PATH)
    transport.deliver(envelope(), Callbacks())
    monkeypatch.setattr(Backend, "closing", OSError())

    transport.close()

    assert transport.connection is None


def test_i11_a_mail_that_cannot_be_read_back_fails_alone(monkeypatch):
    """I11: a bad mail fails alone, with its reason, and is never uncertain."""
    broken = b"Subject: x\r\nContent-Type: text/plain; charset=no-such\r\n\r\n\xff\r\n"
    callbacks = Callbacks()

    reply = BackendConnection(PATH).deliver(
        Envelope(sender="a@b.example", recipient="c@d.example", content=broken), callbacks
    )

    assert (reply.phase, classify(reply).outcome, callbacks.dots) == (
        Phase.CONTENT,
        Outcome.FAILED,
        0,
    )


def test_djangos_own_smtp_backend_delivers_the_stored_bytes(smtp: SmtpServer):
    options = {"host": "127.0.0.1", "port": smtp.port}
    transport = BackendConnection(SMTP, options=options)
    mail = envelope(rich())

    reply = transport.deliver(mail, Callbacks())

    transport.close()
    assert (reply.code, reply.text) == (250, "accepted")
    assert smtp.taken[0].recipient == "kim@example.com"
    assert smtp.taken[0].raw.removesuffix(b"\r\n") == mail.content.removesuffix(b"\r\n")


@pytest.mark.parametrize("name", ["console", "filebased", "locmem", "dummy"])
def test_djangos_other_backends_take_the_mail(tmp_path, name: str, capsys):
    options = {"file_path": str(tmp_path)} if name == "filebased" else {}
    transport = BackendConnection(
        f"django.core.mail.backends.{name}.EmailBackend", options=options
    )

    reply = transport.deliver(envelope(rich()), Callbacks())

    transport.close()
    assert reply.code == 250


def rich() -> EmailMultiAlternatives:
    email = receipt(
        "김 <kim@example.com>",
        subject="영수증: 모아 구독, 12월",
        body="안녕하세요.\n\n.점으로 시작하는 줄\n고맙습니다.\n",
        reply_to=["판매자 <seller@example.com>", "second@example.com"],
        headers={"X-Order": "42", "Auto-Submitted": "auto-generated"},
    )
    email.attach_alternative("<p>안녕하세요.</p>\n", "text/html")
    email.attach("영수증.pdf", b"%PDF-1.7\x00\xff\r\n", "application/pdf")
    email.attach("줄.txt", "하나\n둘\n", "text/plain")
    return email


def test_a_stored_mail_is_the_mail_that_was_recorded():
    original = rich()

    stored = stored_email(envelope(original))

    assert (stored.subject, stored.body) == (original.subject, original.body)
    assert [(part.content, part.mimetype) for part in stored.alternatives] == [
        ("<p>안녕하세요.</p>\n", "text/html")
    ]
    assert stored.reply_to == original.reply_to
    assert stored.from_email == original.from_email
    assert (stored.to, stored.recipients()) == (["kim@example.com"], ["kim@example.com"])
    assert {name: stored.extra_headers[name] for name in original.extra_headers} == (
        original.extra_headers
    )
    assert stored.extra_headers["Message-ID"] == "<1@moa.example>"


def test_a_stored_mail_has_its_attachments_octet_by_octet():
    stored = stored_email(envelope(rich()))

    parts = [part for part in stored.attachments if not isinstance(part, tuple)]
    assert [(part.get_filename(), part.get_content_type()) for part in parts] == [
        ("영수증.pdf", "application/pdf"),
        ("줄.txt", "text/plain"),
    ]
    assert [part.get_payload(decode=True).splitlines() for part in parts] == [
        b"%PDF-1.7\x00\xff\r\n".splitlines(),
        "하나\n둘\n".encode().splitlines(),
    ]


def test_a_mail_of_html_alone_stays_one():
    email = receipt(body="<p>안녕</p>")
    email.content_subtype = "html"

    stored = stored_email(envelope(email))

    assert (stored.body.strip(), stored.content_subtype) == ("<p>안녕</p>", "html")


def test_the_message_of_a_stored_mail_is_the_stored_bytes():
    """The SHA-256 of the record vouches for what left, whichever backend carried it."""
    mail = envelope(rich())

    message = stored_email(mail).message()

    assert message.as_bytes(linesep="\r\n") == mail.content
    assert stored_email(mail).message(policy=policy.SMTP).as_bytes() == mail.content
    assert message.as_bytes() == mail.content.replace(b"\r\n", b"\n")
    assert message["X-Order"] == "42"


words = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=60)


@given(subject=words, body=st.lists(words, min_size=1, max_size=6))
def test_any_text_comes_back_as_it_was(subject: str, body: list[str]):
    original = receipt(subject=" ".join(subject.split()), body="\n".join([*body, ""]))

    stored = stored_email(envelope(original))

    assert (stored.subject, stored.body.splitlines()) == (
        original.subject,
        str(original.body).splitlines(),
    )


def test_a_personal_mail_is_read_back_too():
    parsed = Mime()
    parsed["To"], parsed["Subject"] = "김 <kim@example.com>", "안녕"
    parsed.set_content("김님, 안녕하세요.\n")
    mail = Envelope(sender="a@b.example", recipient="kim@example.com", content=parsed.as_bytes())

    assert stored_email(mail).body == "김님, 안녕하세요.\n"
