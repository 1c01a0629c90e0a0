"""Mails in a pipeline (RFC 2920): announcing the next one changes only the round trips."""

from collections.abc import Iterator

import pytest

from mail.conf.smtp_server import SmtpServer as Server
from mail.transport import wire
from mail.transport.base import Envelope, OutOfTime
from mail.transport.replies import Phase, Reply
from mail.transport.smtp import SmtpConnection
from tests.harness import smtp_dialogue
from tests.harness.smtp import SmtpServer
from tests.unit.mail.test_smtp import CONTENT, Callbacks

A, B, C = (
    Envelope(sender="shop@moa.example", recipient=f"{name}@example.com", content=CONTENT)
    for name in "abc"
)


@pytest.fixture
def transport(smtp: SmtpServer) -> Iterator[SmtpConnection]:
    transport = SmtpConnection(Server(host="127.0.0.1", port=smtp.port))
    yield transport
    smtp.clear_rules()
    transport.close()


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The writes after the connection was opened."""
    seen: list[bytes] = []
    push = wire.Wire.send_now

    def noted_push(self: wire.Wire, data: bytes) -> int:
        taken = push(self, data)
        seen.extend([data[:taken]] if taken else [])
        return taken

    monkeypatch.setattr(wire.Wire, "send_now", noted_push)
    return seen


def offer(transport: SmtpConnection, *envelopes: Envelope) -> list[Reply]:
    """Offer mails one after the other, each announced with the one before."""
    following = [*envelopes[1:], None]
    return [
        transport.deliver(envelope, Callbacks(following=next_one))
        for envelope, next_one in zip(envelopes, following, strict=True)
    ]


def test_the_next_envelope_leaves_with_the_end_of_a_mail(smtp, transport, writes):
    replies = offer(transport, A, B, C)

    assert all(reply.is_plain_acceptance for reply in replies)
    assert [taken.recipient for taken in smtp.taken] == [
        "a@example.com",
        "b@example.com",
        "c@example.com",
    ]
    assert [write.count(b"RCPT") for write in writes] == [1, 1, 1, 0]
    assert [write.count(b"\r\n.\r\n") for write in writes] == [0, 1, 1, 1]


def test_a_server_without_pipelining_hears_one_command_at_a_time(
    smtp, transport, monkeypatch, writes
):
    monkeypatch.setattr(smtp, "extensions", ["SIZE"])

    replies = offer(transport, A, B)

    assert all(reply.is_plain_acceptance for reply in replies)
    assert [
        write.split(b" ")[0].strip() for write in writes if not write.startswith(b"Subject")
    ] == [
        *(b"MAIL", b"RCPT", b"DATA"),
        *(b"MAIL", b"RCPT", b"DATA"),
    ]


@pytest.mark.parametrize("extensions", [["PIPELINING"], []])
def test_the_end_of_data_is_prepared_then_completed(
    smtp, transport, monkeypatch, extensions: list[str]
):
    monkeypatch.setattr(smtp, "extensions", extensions)
    order: list[str] = []

    class Recording(Callbacks):
        def prepare_end_of_data(self) -> Envelope:
            order.append("prepared")
            return B

        def before_end_of_data(self) -> None:
            order.append("completed")

    transport.deliver(A, Recording())

    assert order == ["prepared", "completed"]
    assert (transport.announced is B) == bool(extensions)


@pytest.mark.parametrize("step", ["rcpt", "data"])
def test_an_announced_mail_that_is_refused_fails_alone(smtp, transport, step: str):
    smtp.on(step, address="b@*", reply="550 no")

    replies = offer(transport, A, B, C)

    assert [reply.code for reply in replies] == [250, 550, 250]
    assert replies[1].phase is Phase(step)
    assert smtp.recipients() == {"a@example.com": 1, "c@example.com": 1}
    assert smtp.connections == 1


def test_an_announced_mail_whose_sender_is_refused_fails_alone(smtp, transport):
    bad = Envelope(sender="bad@moa.example", recipient="b@example.com", content=CONTENT)
    smtp.on("mail", address="bad@*", reply="550 no")

    replies = offer(transport, A, bad, C)

    assert [(reply.phase, reply.code) for reply in replies[1:]] == [
        (Phase.MAIL, 550),
        (Phase.DOT, 250),
    ]
    assert smtp.recipients() == {"a@example.com": 1, "c@example.com": 1}


def test_a_refused_mail_whose_data_is_answered_with_354_sends_nothing(
    smtp, transport, monkeypatch, writes
):
    """RFC 2920 §3.1: such a server waits for content, which must not come."""
    do_data = smtp_dialogue.Dialogue.do_data

    async def waits_for_content(self: smtp_dialogue.Dialogue, rest: str) -> None:
        if self.recipients:
            await do_data(self, rest)
        else:
            self.say("354 go on")
            await self.read_mail()

    monkeypatch.setattr(smtp_dialogue.Dialogue, "do_data", waits_for_content)
    smtp.on("rcpt", address="b@*", reply="550 no")

    replies = offer(transport, A, B, C)

    assert [reply.code for reply in replies] == [250, 550, 250]
    assert smtp.recipients() == {"a@example.com": 1, "c@example.com": 1}
    assert smtp.connections == 2
    assert b"RSET\r\n" not in writes


@pytest.mark.parametrize("drop", [True, False])
def test_what_follows_a_421_at_the_dot_was_not_offered(smtp, transport, drop: bool):
    smtp.on("dot", address="a@*", reply="421 4.3.2 later", drop=drop, takes=False)

    first, second = offer(transport, A, B)

    assert (first.phase, first.code) == (Phase.DOT, 421)
    assert second.is_plain_acceptance
    assert smtp.recipients() == {"b@example.com": 1}
    assert smtp.connections == 2


def test_a_lost_reply_to_end_of_data_leaves_the_announced_mail_unsaid(smtp, transport):
    smtp.on("dot", address="a@*", drop=True, takes=True)

    first, second = offer(transport, A, B)

    assert (first.phase, first.code) == (Phase.DOT, None)
    assert second.is_plain_acceptance
    assert smtp.recipients() == {"a@example.com": 1, "b@example.com": 1}


def test_a_mail_that_was_announced_and_does_not_come_is_never_sent(smtp, transport):
    transport.deliver(A, Callbacks(following=B))
    transport.withdraw()
    reply = transport.deliver(C, Callbacks())

    assert reply.is_plain_acceptance
    assert smtp.recipients() == {"a@example.com": 1, "c@example.com": 1}
    assert smtp.connections == 2


def test_another_mail_than_the_announced_one_takes_a_connection_of_its_own(smtp, transport):
    transport.deliver(A, Callbacks(following=B))

    reply = transport.deliver(C, Callbacks())

    assert reply.is_plain_acceptance
    assert smtp.recipients() == {"a@example.com": 1, "c@example.com": 1}


def test_i3_the_end_of_data_of_an_announced_mail_needs_its_own_permission(smtp, transport):
    """I3: that its envelope left early does not permit its end of data."""
    transport.deliver(A, Callbacks(following=B))

    with pytest.raises(InterruptedError):
        transport.deliver(B, Callbacks(refusal=InterruptedError()))

    assert smtp.recipients() == {"a@example.com": 1}


def test_i3_permission_is_asked_again_when_the_end_of_data_did_not_fit(
    smtp, transport, monkeypatch
):
    """I3: a deadline that passes while the socket has no room is seen."""
    push = wire.Wire.send_now
    monkeypatch.setattr(wire.Wire, "send_now", lambda self, data: push(self, data[:20]))
    callbacks = Callbacks(following=B)

    reply = transport.deliver(A, callbacks)

    assert reply.is_plain_acceptance
    assert callbacks.dots >= len(CONTENT) // 20
    assert transport.deliver(B, Callbacks()).is_plain_acceptance
    assert [taken.raw for taken in smtp.taken] == [CONTENT, CONTENT]


def test_i5_a_worker_that_must_end_does_not_write_the_dot(smtp, transport, monkeypatch):
    """I5: if time runs out before the end of data, the mail is certainly unsent."""
    monkeypatch.setattr(wire, "WAKE", 0.01)
    smtp.on("data", hold=True)
    callbacks = Callbacks()

    def end() -> None:
        raise OutOfTime

    callbacks.while_waiting = end  # type: ignore[method-assign]
    transport.open()

    with pytest.raises(OutOfTime):
        transport.deliver(A, callbacks)

    smtp.clear_rules()
    assert smtp.recipients() == {}


def test_i5_a_worker_that_must_end_behind_the_dot_does_not_call_the_mail_unsent(
    smtp, transport, monkeypatch
):
    """I5: the end of data has left; only the next mail's envelope found no room."""
    push, wait = wire.Wire.send_now, wire.Wire._wait
    dots: list[bytes] = []

    def up_to_the_dot(self: wire.Wire, data: bytes) -> int:
        if dots:
            return 0
        end = data.find(b"\r\n.\r\n") + 5 if b"\r\n.\r\n" in data else len(data)
        dots.extend([data[:end]] if end < len(data) else [])
        return push(self, data[:end])

    def must_end(self: wire.Wire, patience: float, *, for_writing: bool = False) -> None:
        if dots and for_writing:
            raise OutOfTime
        wait(self, patience, for_writing=for_writing)

    monkeypatch.setattr(wire.Wire, "send_now", up_to_the_dot)
    monkeypatch.setattr(wire.Wire, "_wait", must_end)

    reply = transport.deliver(A, Callbacks(following=B))

    assert reply.is_plain_acceptance
    assert smtp.recipients() == {"a@example.com": 1}


def test_a_connection_announces_nothing_past_its_share(smtp, transport, monkeypatch):
    monkeypatch.setattr("mail.transport.smtp.MAILS_PER_CONNECTION", 2)

    replies = offer(transport, A, B, C)

    assert all(reply.is_plain_acceptance for reply in replies)
    assert (smtp.connections, smtp.commands["quit"]) == (2, 1)
