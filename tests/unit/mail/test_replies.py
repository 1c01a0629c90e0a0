"""The meaning of a server's reply, row by row, and the wait after it."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.transport.classification import (
    OVER_QUOTA,
    REFUSED_LOGIN,
    THROTTLED,
    UNREACHABLE,
    Outcome,
    Scope,
    Verdict,
    classify,
)
from mail.transport.replies import SESSION_PHASES, Phase, Reply
from mail.worker.backoff import DELAYS, LONGEST_HOLD, LONGEST_OUTAGE_HOLD, backoff, hold_time

SENT, FAILED, DEFERRED = Outcome.SENT, Outcome.FAILED, Outcome.DEFERRED
UNCERTAIN, HELD = Outcome.UNCERTAIN, Outcome.RETURNED
RECIPIENT, MESSAGE, SENDER, TRANSPORT = (
    Scope.RECIPIENT,
    Scope.MESSAGE,
    Scope.SENDER,
    Scope.TRANSPORT,
)

IN_A_MAIL = [Phase.RCPT, Phase.DATA, Phase.DOT]
FIRST_HOLDS = [UNREACHABLE, THROTTLED, REFUSED_LOGIN, OVER_QUOTA]

# Replies about one mail: the code, the enhanced code, its outcome, what is at fault.
OF_A_MAIL = [
    (450, "4.2.1", DEFERRED, RECIPIENT),  # the recipient gets mail too fast
    (451, "4.3.0", DEFERRED, RECIPIENT),
    (451, "4.4.2", DEFERRED, RECIPIENT),
    (451, "4.7.1", DEFERRED, RECIPIENT),  # greylisted
    (452, "4.2.2", DEFERRED, RECIPIENT),  # mailbox full
    (552, "5.2.2", DEFERRED, RECIPIENT),  # mailbox full, as a permanent error
    (452, "4.5.3", DEFERRED, RECIPIENT),
    (450, "", DEFERRED, RECIPIENT),
    (550, "5.1.1", FAILED, RECIPIENT),
    (550, "5.1.2", FAILED, RECIPIENT),
    (550, "5.1.10", FAILED, RECIPIENT),
    (501, "5.1.3", FAILED, RECIPIENT),
    (553, "5.1.3", FAILED, RECIPIENT),
    (550, "5.7.1", FAILED, SENDER),
    (550, "5.7.26", FAILED, SENDER),
    (550, "5.7.515", FAILED, SENDER),
    (554, "5.7.9", FAILED, SENDER),  # policy: the mail is refused, not our login
    (552, "5.2.3", FAILED, MESSAGE),
    (552, "5.3.4", FAILED, MESSAGE),
    (550, "", FAILED, RECIPIENT),
    (599, "", FAILED, RECIPIENT),
]

# Replies about us, to whichever command, and how long the transport is held.
OF_THE_TRANSPORT = [
    (421, "", THROTTLED),
    (421, "4.3.2", THROTTLED),
    (450, "4.7.0", THROTTLED),
    (450, "4.7.28", THROTTLED),
    (451, "4.3.2", THROTTLED),
    (454, "4.7.0", THROTTLED),
    (454, "", THROTTLED),  # SES: maximum sending rate
    (530, "5.7.0", REFUSED_LOGIN),
    (534, "5.7.9", REFUSED_LOGIN),
    (535, "5.7.8", REFUSED_LOGIN),
    (538, "", REFUSED_LOGIN),
    (550, "5.4.5", OVER_QUOTA),  # Gmail: a 5xx that is over tomorrow
]


def verdict(phase: Phase, code: int | None, enhanced: str = "") -> Verdict:
    return classify(Reply(phase=phase, code=code, enhanced=enhanced))


@pytest.mark.parametrize("phase", IN_A_MAIL)
@pytest.mark.parametrize(("code", "enhanced", "outcome", "scope"), OF_A_MAIL)
def test_an_answer_about_a_mail_stops_that_mail_alone(phase, code, enhanced, outcome, scope):
    """I11: a bad mail never stops the queue."""
    assert verdict(phase, code, enhanced) == Verdict(outcome=outcome, scope=scope)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize(("code", "enhanced", "hold"), OF_THE_TRANSPORT)
def test_an_answer_about_the_transport_holds_it_whatever_was_asked(phase, code, enhanced, hold):
    """I11: trouble with the server holds the transport."""
    assert verdict(phase, code, enhanced) == Verdict(outcome=HELD, scope=TRANSPORT, hold=hold)


@pytest.mark.parametrize("code", [550, 553, 501])
def test_a_refused_sender_is_no_fault_of_the_recipient(code):
    assert verdict(Phase.MAIL, code) == Verdict(outcome=FAILED, scope=SENDER)


@pytest.mark.parametrize("phase", [Phase.CONNECT, Phase.EHLO, Phase.STARTTLS])
@pytest.mark.parametrize("code", [450, 500, 502, 554])
def test_a_refusal_before_a_mail_is_offered_is_an_outage(phase, code):
    """I11: a server that turns us away fails no mail."""
    assert verdict(phase, code) == Verdict(outcome=HELD, scope=TRANSPORT, hold=UNREACHABLE)


@pytest.mark.parametrize("code", [432, 500, 504, 550])
def test_any_refusal_of_the_login_waits_for_a_person(code):
    assert verdict(Phase.AUTH, code).hold == REFUSED_LOGIN


@pytest.mark.parametrize("phase", Phase)
def test_i5_silence_is_uncertain_after_end_of_data_and_never_before(phase):
    """I5: before the end of data a failure is certain; after it only a reply decides."""
    found = verdict(phase, None)

    if phase is Phase.DOT:
        assert found == Verdict(outcome=UNCERTAIN, scope=RECIPIENT)
    elif phase in SESSION_PHASES:
        assert found == Verdict(outcome=HELD, scope=TRANSPORT, hold=UNREACHABLE)
    else:
        assert found == Verdict(outcome=DEFERRED, scope=RECIPIENT)


@given(phase=st.sampled_from(Phase), code=st.integers(-1, 999))
def test_i5_only_2xx_to_end_of_data_means_sent(phase, code):
    accepted = phase is Phase.DOT and 200 <= code < 300

    assert (verdict(phase, code).outcome is SENT) == accepted


@given(phase=st.sampled_from(Phase), code=st.integers(-1, 999))
def test_i5_a_proper_refusal_is_never_uncertain(phase, code):
    """4xx and 5xx decide; any other reply to the end of data, except 2xx, does not."""
    unreadable = phase is Phase.DOT and not 200 <= code < 300 and not 400 <= code < 600

    assert (verdict(phase, code).outcome is UNCERTAIN) == unreadable


@given(
    phase=st.sampled_from(Phase),
    code=st.one_of(st.none(), st.integers(-1, 999)),
    enhanced=st.one_of(st.just(""), st.from_regex(r"\A[245]\.\d{1,3}\.\d{1,3}\Z")),
)
def test_i11_a_hold_is_long_and_nothing_else_holds(phase, code, enhanced):
    found = verdict(phase, code, enhanced)

    assert (found.outcome is HELD) == (found.hold > timedelta(0)) == (found.scope is TRANSPORT)


@given(phase=st.sampled_from(Phase), code=st.one_of(st.none(), st.integers(0, 599)))
def test_a_loss_is_silence_in_the_middle_of_a_mail(phase, code):
    answer = Reply(phase=phase, code=code)

    assert answer.is_loss == (code is None and phase not in SESSION_PHASES)


@pytest.mark.parametrize(
    ("said", "enhanced", "text"),
    [
        ("5.1.1 no such user", "5.1.1", "no such user"),
        ("4.7.28", "4.7.28", ""),
        ("2.0.0  taken", "2.0.0", "taken"),
        ("no such user 5.1.1", "", "no such user 5.1.1"),
        ("3.1.1 odd", "", "3.1.1 odd"),
        ("5.1.1234 odd", "", "5.1.1234 odd"),
        ("127.0.0.1 is listed", "", "127.0.0.1 is listed"),
        ("5.1.1 no\0body", "5.1.1", "nobody"),  # PostgreSQL cannot store NUL
        ("", "", ""),
    ],
)
def test_an_answer_is_read_with_its_enhanced_code(said, enhanced, text):
    """RFC 2034 §4: the enhanced code stands first in the text."""
    answer = Reply.parse(Phase.RCPT, 550, said, host="mx.example:25")

    assert (answer.enhanced, answer.text) == (enhanced, text)
    assert (answer.phase, answer.code, answer.host) == (Phase.RCPT, 550, "mx.example:25")


@pytest.mark.parametrize("code", [-1, 0, None])
def test_a_code_that_is_none_is_silence(code):
    assert Reply.parse(Phase.DOT, code, "", host="").code is None


def test_delays_grow_from_a_minute_to_four_hours():
    waits = [backoff(attempts, jitter=0) for attempts in range(1, 8)]

    assert [wait / timedelta(minutes=1) for wait in waits] == [1, 5, 15, 60, 240, 240, 240]


@given(attempts=st.integers(0, 100_000), jitter=st.floats(-1, 1))
def test_a_delay_is_moved_by_a_fifth_at_most(attempts, jitter):
    plain = backoff(attempts, jitter=0)

    assert plain in DELAYS
    assert plain * 0.8 <= backoff(attempts, jitter=jitter) <= plain * 1.2


def test_delays_are_spread_at_random():
    assert len({backoff(1) for _ in range(20)}) > 10
    assert all(abs(backoff(1) - DELAYS[0]) <= DELAYS[0] * 0.2 for _ in range(200))


@given(first=st.sampled_from(FIRST_HOLDS), holds=st.integers(0, 10_000))
def test_a_hold_doubles_up_to_its_limit(first, holds):
    longest = LONGEST_OUTAGE_HOLD if first == UNREACHABLE else max(first, LONGEST_HOLD)

    wait, following = hold_time(first, holds), hold_time(first, holds + 1)

    assert first <= wait <= following <= min(wait * 2, longest)


@pytest.mark.parametrize(
    ("first", "waits"),
    [
        (UNREACHABLE, [5, 10, 20, 20]),
        (THROTTLED, [15, 30, 60, 120, 240, 480, 900, 900]),
        (REFUSED_LOGIN, [60, 120, 240, 480, 900, 900]),
        (OVER_QUOTA, [3600, 3600]),
    ],
)
def test_an_outage_is_looked_at_often_and_a_throttling_server_left_alone(first, waits):
    holds = [hold_time(first, number) for number in range(1, len(waits) + 1)]

    assert [hold.total_seconds() for hold in holds] == waits
