"""The pure rules of `mail.ledger.states`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.ledger import states, transitions
from mail.ledger.states import ForbiddenArrow, State
from mail.models import Delivery, OnUncertain
from tests.model import ledger
from tests.model.machine import ARROWS
from tests.unit.mail.mails import RECEIPT, receipt

IDS = st.lists(st.integers(1, 12), unique=True).map(sorted)


def test_i9_the_arrows_are_those_of_the_design():
    """I9: as §2 of the design draws them; a resend and a late 250 included."""
    assert {str(state): set(map(str, after)) for state, after in states.ARROWS.items()} == ARROWS


@pytest.mark.parametrize("old", State.values)
@pytest.mark.parametrize("new", State.values)
def test_i9_only_an_arrow_is_passed(old: str, new: str):
    """I9."""
    if new in ARROWS[old]:
        states.check(old, new)
    else:
        with pytest.raises(ForbiddenArrow):
            states.check(old, new)


@pytest.mark.django_db
def test_i9_the_record_refuses_a_move_that_is_no_arrow():
    """I9: whoever asks for it, the transaction is rolled back."""
    from mail import outbox

    message = outbox.send(receipt(), kind=RECEIPT)
    transitions.settle(message.deliveries.all(), State.SENT)

    with pytest.raises(ForbiddenArrow):
        transitions.requeue(message.deliveries.all())

    message.refresh_from_db()
    assert (Delivery.objects.get().state, message.sent, message.queued) == ("sent", 1, 0)


@given(IDS, st.integers(0, 13), st.booleans())
def test_i4_at_most_one_mail_of_a_dead_worker_is_uncertain(ids, through, begun):
    """I4: and none is forgotten, none counted twice, none that was passed is sent again."""
    known = states.settlement(ids, through_id=through, begun=begun, checkpoints_missing=False)

    assert [*known.accepted, *known.uncertain, *known.unsent] == ids
    assert len(known.uncertain) <= 1
    assert all(pk <= through for pk in known.accepted)
    assert all(pk > through for pk in (*known.uncertain, *known.unsent))
    assert begun or not known.uncertain


@given(IDS, st.integers(0, 13), st.booleans())
def test_i4_without_checkpoints_nothing_above_the_cursor_is_called_unsent(ids, through, begun):
    """I4: if PostgreSQL crashed since the claim."""
    known = states.settlement(ids, through_id=through, begun=begun, checkpoints_missing=True)

    assert not known.unsent
    assert list(known.uncertain) == [pk for pk in ids if pk > through]


@given(IDS, st.integers(0, 13), st.booleans(), st.booleans())
def test_the_rule_of_the_rescue_is_the_models(ids, through, begun, checkpoints_missing):
    """Two ways to say it: the code's, and that of the model of the design."""
    before = ledger.Ledger(
        {1: ledger.Policy(holds=False)},
        {pk: ledger.Mail(message=1, batch=7) for pk in ids},
        {7: ledger.Parcel(worker=1, begun=begun, through=through)},
    )

    after = ledger.step(ledger.Settled(7, checkpoints_missing), before)
    known = states.settlement(
        ids, through_id=through, begun=begun, checkpoints_missing=checkpoints_missing
    )

    assert {pk: mail.state for pk, mail in after.mails.items()} == {
        **dict.fromkeys(known.accepted, "sent"),
        **dict.fromkeys(known.uncertain, "uncertain"),
        **dict.fromkeys(known.unsent, "queued"),
    }


@pytest.mark.parametrize(
    ("policy", "before", "again"),
    [
        (OnUncertain.RESEND, 0, True),
        (OnUncertain.RESEND, 1, False),
        (OnUncertain.HOLD, 0, False),
        (OnUncertain.HOLD, 1, False),
    ],
)
def test_an_uncertain_mail_is_resent_once_unless_its_kind_holds(policy, before, again):
    assert states.is_resent(policy, before) is again
