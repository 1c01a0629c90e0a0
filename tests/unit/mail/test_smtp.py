"""The SMTP transport with a server over real sockets: its commands, and its use of replies."""

import contextlib
import select
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mail.conf.smtp_server import SmtpServer as Server
from mail.transport import smtp as mail_smtp
from mail.transport import wire
from mail.transport.base import Envelope
from mail.transport.classification import Outcome, classify
from mail.transport.replies import Phase, Reply
from mail.transport.smtp import SmtpConnection
from tests.harness import smtp_dialogue
from tests.harness.smtp import SmtpServer

PEM = Path(__file__).parents[2] / "harness" / "tls" / "localhost.pem"
STEPS = ["connect", "ehlo", "mail", "rcpt", "data", "dot"]
SHORT = 0.15  # seconds, where a server stays silent
CONTENT = "Subject: 안녕\r\n\r\n반갑습니다.\r\n".encode()


class Callbacks:
    """Counts the ends of data and the waits, and may refuse the end of data."""

    def __init__(
        self, refusal: Exception | None = None, *, following: Envelope | None = None
    ) -> None:
        self.refusal = refusal
        self.following = following
        self.dots = 0
        self.waits = 0

    def prepare_end_of_data(self) -> Envelope | None:
        return self.following

    def before_end_of_data(self) -> None:
        self.dots += 1
        if self.refusal:
            raise self.refusal

    def while_waiting(self) -> None:
        self.waits += 1


def offer(
    transport: SmtpConnection,
    to: str = "kim@example.com",
    *,
    content: bytes = CONTENT,
    callbacks: Callbacks | None = None,
) -> Reply:
    envelope = Envelope(sender="shop@moa.example", recipient=to, content=content)
    return transport.deliver(envelope, callbacks or Callbacks())


@pytest.fixture
def transport(smtp: SmtpServer) -> Iterator[SmtpConnection]:
    transport = SmtpConnection(Server(host="127.0.0.1", port=smtp.port))
    yield transport
    smtp.clear_rules()
    transport.close()


@contextlib.contextmanager
def short_of_patience(step: str, rule: dict[str, Any]) -> Iterator[None]:
    """Where a server stays silent, it is waited for no longer than a test can wait."""
    with pytest.MonkeyPatch.context() as patch:
        if rule.get("hold") and step in ("connect", "ehlo"):
            patch.setattr("mail.transport.session.CONNECT_PATIENCE", SHORT)
        elif rule.get("hold"):
            patch.setitem(mail_smtp.PATIENCE, Phase(step), SHORT)
        yield


@pytest.fixture
def said_to_mail(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the server hears after MAIL."""
    heard: list[str] = []
    obey = smtp_dialogue.Dialogue.do_mail

    async def listen(self: smtp_dialogue.Dialogue, rest: str) -> None:
        heard.append(rest)
        await obey(self, rest)

    monkeypatch.setattr(smtp_dialogue.Dialogue, "do_mail", listen)
    return heard


def test_a_mail_arrives_as_it_was_stored(smtp: SmtpServer, transport: SmtpConnection):
    reply = offer(transport)

    (taken,) = smtp.taken
    assert (reply.phase, reply.code, reply.enhanced) == (Phase.DOT, 250, "2.0.0")
    assert (reply.text, reply.host) == ("taken", f"127.0.0.1:{smtp.port}")
    assert (taken.sender, taken.recipient) == ("shop@moa.example", "kim@example.com")
    assert taken.raw == CONTENT


FAULTS: dict[str, tuple[dict[str, Any], int | None]] = {
    "a temporary refusal": ({"reply": "450 4.3.0 later"}, 450),
    "a permanent refusal": ({"reply": "550 5.3.0 never"}, 550),
    "a closing server": ({"reply": "421 4.3.2 bye", "drop": True}, 421),
    "a lost connection": ({"drop": True}, None),
    "silence": ({"hold": True}, None),
    "an reply that is none": ({"reply": "HTTP/1.1 400 Bad Request"}, None),
    "an reply out of place": ({"reply": "150 hm"}, None),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", FAULTS)
def test_i5_a_fault_is_told_with_its_step(smtp, transport, step: str, fault: str):
    """I5: only a missing reply to the end of data may be uncertain."""
    rule, code = FAULTS[fault]
    smtp.on(step, **rule)
    callbacks = Callbacks()

    with short_of_patience(step, rule):
        reply = offer(transport, callbacks=callbacks)

    uncertain = classify(reply).outcome is Outcome.UNCERTAIN
    assert (reply.phase, callbacks.dots) == (Phase(step), step == "dot")
    assert uncertain == (step == "dot" and code is None)
    if code and step != "ehlo":  # where smtplib tries HELO after a refusal
        assert reply.code == code


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", FAULTS)
def test_the_next_mail_leaves_after_any_fault(smtp, transport, step: str, fault: str):
    rule, _ = FAULTS[fault]
    smtp.on(step, **rule, takes=False)
    with short_of_patience(step, rule):
        offer(transport, "first@example.com")
    smtp.clear_rules()

    reply = offer(transport, "second@example.com")

    assert reply.is_plain_acceptance
    assert smtp.recipients() == {"second@example.com": 1}


@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "dot"])
def test_i3_a_slow_server_is_waited_for_with_signs_of_life(smtp, transport, monkeypatch, step):
    """I3: while it waits for a slow reply the worker renews."""
    monkeypatch.setattr(wire, "WAKE", 0.01)
    rule = smtp.on(step, hold=True, times=1)
    callbacks = Callbacks()

    def third_time() -> None:
        callbacks.waits += 1
        if callbacks.waits == 3:
            rule.release()

    callbacks.while_waiting = third_time  # type: ignore[method-assign]

    reply = offer(transport, callbacks=callbacks)

    assert reply.is_plain_acceptance
    assert callbacks.waits >= 3


def test_i3_no_end_of_data_is_written_when_the_claim_forbids_it(smtp, transport):
    """I3: past the deadline no end of data is written, and the mail is not accepted."""
    with pytest.raises(InterruptedError):
        offer(transport, callbacks=Callbacks(refusal=InterruptedError()))

    assert transport.session is None
    assert offer(transport, "second@example.com").is_plain_acceptance
    assert (smtp.commands["data"], smtp.commands["dot"], smtp.connections) == (2, 1, 2)
    assert smtp.recipients() == {"second@example.com": 1}


def test_i5_a_dot_that_could_not_be_written_was_not_sent(smtp, transport):
    """I5: the connection breaks before the end of data: nothing is uncertain."""
    callbacks = Callbacks()

    def cut() -> None:
        smtp.stop()
        broken = select.poll()
        broken.register(transport.session.wire.sock, select.POLLHUP | select.POLLERR)
        assert broken.poll(5_000)

    callbacks.before_end_of_data = cut  # type: ignore[method-assign]
    try:
        reply = offer(transport, callbacks=callbacks)
    finally:
        smtp.start()

    assert (reply.phase, reply.code) == (Phase.CONTENT, None)
    assert classify(reply).outcome is Outcome.DEFERRED


def test_a_server_that_is_not_there_is_an_answer(smtp, transport):
    smtp.stop()
    try:
        reply = offer(transport)
    finally:
        smtp.start()

    assert (reply.phase, reply.code) == (Phase.CONNECT, None)
    assert "refused" in reply.text.lower()


CONTENTS = {
    "dots at the start of lines": b"Subject: x\r\n\r\n.\r\n..\r\n.hidden\r\nno.dot\r\n.\r\n",
    "a dot first of all": b".\r\n",
    "no line end at the end": b"Subject: x\r\n\r\nend",
    "a dot at the very end": b"Subject: x\r\n\r\n.",
    "a mail in the mail": b"\r\n.\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n",
    "more than one write": b"Subject: x\r\n\r\n" + b"0123456789abcde\r\n" * 20_000,
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_content_is_stuffed_and_ended_and_never_speaks(smtp, transport, content: bytes):
    """RFC 5321 §4.5.2; and no content smuggles a second mail."""
    reply = offer(transport, content=content)

    assert reply.is_plain_acceptance
    assert [taken.raw.removesuffix(b"\r\n") for taken in smtp.taken] == [
        content.removesuffix(b"\r\n")
    ]
    assert smtp.commands["mail"] == 1


@pytest.mark.parametrize("line_end", [b"\n", b"\r"])
def test_no_bare_line_end_lets_a_mail_be_smuggled(smtp, transport, line_end: bytes):
    content = b"Subject: x\r\n\r\na" + line_end + b"." + line_end + b"MAIL FROM:<e@v.il>\r\n"

    offer(transport, content=content)

    assert line_end + b"." + line_end not in smtp.taken[0].raw or line_end == b"\r"
    assert smtp.commands["mail"] == 1


@pytest.mark.parametrize(
    ("offered", "content", "said"),
    [
        (["8BITMIME", "SIZE"], CONTENT, f" SIZE={len(CONTENT)} BODY=8BITMIME"),
        (["8BITMIME", "SIZE"], b"plain\r\n", " SIZE=7"),
        (["8BITMIME"], CONTENT, " BODY=8BITMIME"),
        (["SIZE"], CONTENT, f" SIZE={len(CONTENT)}"),
        ([], CONTENT, ""),
    ],
)
def test_extensions_are_used_only_if_offered(
    smtp, transport, monkeypatch, said_to_mail, offered, content, said
):
    monkeypatch.setattr(smtp, "extensions", offered)

    offer(transport, content=content)

    assert said_to_mail == [f"FROM:<shop@moa.example>{said}"]


def test_a_connection_is_kept_between_mails(smtp, transport):
    replies = [offer(transport) for _ in range(5)]

    assert all(reply.is_plain_acceptance for reply in replies)
    assert smtp.connections == 1


def test_a_connection_is_given_up_after_its_share_of_mails(smtp, transport, monkeypatch):
    monkeypatch.setattr("mail.transport.smtp.MAILS_PER_CONNECTION", 2)

    for _ in range(5):
        offer(transport)

    assert (smtp.connections, smtp.commands["quit"], len(smtp.taken)) == (3, 2, 5)


@pytest.mark.parametrize("rule", [{"drop": True}, {"reply": "421 4.4.2 idle", "drop": True}])
def test_a_connection_the_server_had_closed_is_reopened_unseen(smtp, transport, rule):
    offer(transport)
    smtp.on("mail", **rule, times=1)

    reply = offer(transport)

    assert reply.is_plain_acceptance
    assert (smtp.connections, len(smtp.taken)) == (2, 2)


def test_a_connection_is_reopened_only_once(smtp, transport):
    offer(transport)
    smtp.on("mail", drop=True)

    reply = offer(transport)

    assert (reply.phase, reply.code) == (Phase.MAIL, None)
    assert smtp.connections == 2


def test_a_new_connection_that_is_refused_is_not_tried_twice(smtp, transport):
    smtp.on("mail", reply="421 4.3.2 too busy", drop=True)

    reply = offer(transport)

    assert (reply.phase, reply.code, smtp.connections) == (Phase.MAIL, 421, 1)


def test_a_connection_that_rested_is_asked_whether_it_lives(smtp, transport, monkeypatch):
    offer(transport)
    monkeypatch.setattr("mail.transport.smtp.IDLE_LIMIT", 0)
    offer(transport)
    smtp.stop()
    smtp.start()

    reply = offer(transport)

    assert reply.is_plain_acceptance
    assert (smtp.connections, len(smtp.taken)) == (2, 3)


async def says_nothing(self: smtp_dialogue.Dialogue, rest: str) -> None:
    pass


def test_i3_a_new_connection_and_a_question_show_signs_of_life(smtp, transport, monkeypatch):
    """I3: no lease runs out while a connection is made in the middle of a Batch."""
    first, second = Callbacks(), Callbacks()
    offer(transport, callbacks=first)
    monkeypatch.setattr("mail.transport.smtp.IDLE_LIMIT", 0)
    monkeypatch.setattr(wire, "WAKE", 0.01)
    monkeypatch.setitem(mail_smtp.PATIENCE, Phase.MAIL, 0.1)
    monkeypatch.setattr(smtp_dialogue.Dialogue, "do_noop", says_nothing)

    reply = offer(transport, callbacks=second)

    assert reply.is_plain_acceptance
    assert first.waits == 1
    assert second.waits >= 5


@pytest.mark.parametrize("rule", [{"reply": "500 what"}, {"drop": True}, {"hold": True}])
def test_i5_trouble_with_quit_changes_nothing(smtp, transport, monkeypatch, rule):
    """I5: QUIT trouble never undoes a 250."""
    monkeypatch.setattr("mail.transport.smtp.MAILS_PER_CONNECTION", 1)
    smtp.on("quit", **rule, times=1)

    replies = [offer(transport), offer(transport)]

    assert all(reply.is_plain_acceptance for reply in replies)
    assert len(smtp.taken) == 2


@pytest.mark.parametrize("step", ["mail", "rcpt", "data"])
def test_a_refused_mail_is_reset_and_the_connection_kept(smtp, transport, step: str):
    smtp.on(step, reply="550 no", times=1)

    refused, accepted = offer(transport), offer(transport)

    assert (refused.code, accepted.code) == (550, 250)
    assert (smtp.connections, smtp.commands["rset"]) == (1, 1)


@pytest.mark.parametrize("rule", [{"reply": "500 what"}, {"drop": True}, {"hold": True}])
def test_a_connection_that_cannot_be_reset_is_given_up(smtp, transport, rule):
    smtp.on("rcpt", reply="550 no", times=1)
    smtp.on("rset", **rule)

    with short_of_patience("mail", rule):  # in which RSET is awaited, too
        refused = offer(transport)
    accepted = offer(transport)

    assert (refused.code, accepted.code) == (550, 250)
    assert smtp.connections == 2


def test_a_refused_end_of_data_needs_no_reset(smtp, transport):
    smtp.on("dot", reply="554 5.7.1 spam", times=1)

    refused, accepted = offer(transport), offer(transport)

    assert (refused.code, accepted.code) == (554, 250)
    assert (smtp.connections, smtp.commands["rset"]) == (1, 0)


def test_a_reply_of_many_lines_is_one_answer(smtp, transport):
    smtp.on("rcpt", reply="550-5.1.1 The mailbox\r\n550-5.1.1 does not\r\n550 5.1.1 exist.")

    reply = offer(transport)

    assert (reply.code, reply.enhanced) == (550, "5.1.1")
    assert reply.text.endswith("exist.")


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))


def secure_server(**options) -> SmtpServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    return SmtpServer(tls=context, **options)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("how", ["starttls", "implicit_tls"])
def test_a_mail_leaves_over_tls(trusted, how: str, host: str):
    with secure_server(implicit_tls=how == "implicit_tls") as server:
        transport = SmtpConnection(Server(host=host, port=server.port, **{how: True}))

        replies = [offer(transport), offer(transport, content=CONTENTS["more than one write"])]

        transport.close()
        assert all(reply.is_plain_acceptance for reply in replies), replies
        assert (len(server.taken), server.connections) == (2, 1)


@pytest.mark.parametrize("how", ["starttls", "implicit_tls"])
def test_a_certificate_that_nobody_vouches_for_is_an_outage(how: str):
    with secure_server(implicit_tls=how == "implicit_tls") as server:
        transport = SmtpConnection(Server(host="localhost", port=server.port, **{how: True}))

        reply = offer(transport)

        assert reply.phase is (Phase.STARTTLS if how == "starttls" else Phase.CONNECT)
        assert reply.code is None
        assert classify(reply).outcome is Outcome.RETURNED
        assert server.commands["mail"] == 0


def test_no_mail_leaves_in_the_clear_when_starttls_is_not_offered(smtp):
    transport = SmtpConnection(Server(host="127.0.0.1", port=smtp.port, starttls=True))

    reply = offer(transport)

    assert (reply.phase, reply.code) == (Phase.STARTTLS, None)
    assert (classify(reply).outcome, smtp.commands["mail"]) == (Outcome.RETURNED, 0)


def test_no_mail_leaves_in_the_clear_when_starttls_is_refused(trusted):
    with secure_server() as server:
        server.on("starttls", reply="454 4.7.0 TLS not available")
        transport = SmtpConnection(Server(host="localhost", port=server.port, starttls=True))

        reply = offer(transport)

        assert (reply.phase, reply.code) == (Phase.STARTTLS, 454)
        assert server.commands["mail"] == 0


@pytest.mark.parametrize(("password", "code"), [("right", 250), ("wrong", 535)])
def test_a_login_is_spoken_over_tls(trusted, password: str, code: int):
    with secure_server(users={"moa": "right"}) as server:
        place = {"host": "localhost", "port": server.port, "starttls": True}
        transport = SmtpConnection(Server(**place, user="moa", password=password))

        reply = offer(transport)

        transport.close()
        assert reply.code == code
        assert len(server.taken) == (code == 250)


def test_a_login_where_none_is_offered_is_an_outage(smtp):
    transport = SmtpConnection(Server(host="127.0.0.1", port=smtp.port, user="moa", password="x"))

    reply = offer(transport)

    assert (reply.phase, classify(reply).outcome) == (Phase.AUTH, Outcome.RETURNED)


def test_an_answer_never_shows_the_password(trusted):
    with secure_server(users={"moa": "right"}) as server:
        place = {"host": "localhost", "port": server.port, "starttls": True}
        transport = SmtpConnection(Server(**place, user="moa", password="hunter2"))

        reply = offer(transport)

    assert "hunter2" not in repr(reply) + repr(transport.server) + reply.text
