"""If a server would refuse more than one mail, the rest of the Message waits for a person."""

import pytest

from mail import outbox
from mail.models import Message
from mail.relay.flags import FlagPropagation
from mail.transport.replies import Phase, Reply
from mail.worker.auto_pause import LOOK_BACK
from tests.db.mail.delivering import Script, bind, deliver, said, send, states
from tests.unit.mail.mails import NOTICE

pytestmark = pytest.mark.usefixtures("transactional_db")

TOO_BIG = said(552, "5.3.4", phase=Phase.DATA, text="message too big")
DISTRUSTED = said(550, "5.7.26", phase=Phase.DOT, text="DMARC")


def send_to(count: int) -> Message:
    return send(*(f"u{number:03}" for number in range(count)), kind=NOTICE)


def counts() -> dict[str, int]:
    found = list(states().values())
    return {state: found.count(state) for state in set(found)}


def offer_all() -> Message:
    """Deliver one Batch of what is due; return the Message as it is then."""
    deliver(bind(NOTICE.lane))
    return Message.objects.get()


def refuse(script: Script, answer: Reply, *numbers: int) -> None:
    for number in numbers:
        script.on(f"u{number:03}", answer)


def test_a_content_too_large_for_one_is_offered_to_nobody_else(script: Script):
    send_to(5)
    refuse(script, TOO_BIG, 1)

    message = offer_all()

    assert counts() == {"sent": 1, "failed": 1, "queued": 3}
    assert message.paused_at
    assert message.pause_reason == "data 552 5.3.4 message too big"


def test_a_sender_whom_a_server_distrusts_loses_a_twentieth_and_no_more(script: Script):
    send_to(100)
    script.otherwise = DISTRUSTED

    message = offer_all()

    assert counts() == {"failed": LOOK_BACK // 20 + 1, "queued": 89}
    assert message.pause_reason == "dot 550 5.7.26 DMARC"


def test_a_few_refusals_of_the_sender_stop_nothing(script: Script):
    send_to(100)
    refuse(script, DISTRUSTED, *range(0, 100, 10))

    message = offer_all()

    assert counts() == {"failed": 10, "sent": 90}
    assert message.paused_at is None


def test_refusals_long_ago_count_no_more(script: Script):
    send_to(LOOK_BACK + 11)
    refuse(script, DISTRUSTED, *range(10), LOOK_BACK + 10)

    message = offer_all()

    assert message.paused_at is None
    assert counts() == {"failed": 11, "sent": LOOK_BACK}


def test_refused_recipients_stop_nothing(script: Script):
    send_to(50)
    script.otherwise = said(550, "5.1.1")

    message = offer_all()

    assert counts() == {"failed": 50}
    assert message.paused_at is None


def test_what_was_stopped_continues_when_a_person_resumes_it(script: Script):
    message = send_to(5)
    refuse(script, TOO_BIG, 1)
    offer_all()

    outbox.resume(message)
    while FlagPropagation().apply():
        pass
    resumed = offer_all()

    assert counts() == {"sent": 4, "failed": 1}
    assert (resumed.paused_at, resumed.pause_reason) == (None, "")


def test_a_mail_to_one_person_stops_by_itself(script: Script):
    send("u000", kind=NOTICE)
    refuse(script, TOO_BIG, 0)

    message = offer_all()

    assert counts() == {"failed": 1}
    assert message.paused_at is None
