"""The 250s of a Batch: facts, whatever the state of their Deliveries is by then."""

from datetime import timedelta

import pytest

from mail.ledger import transitions
from mail.models import Delivery, Message
from mail.transport.replies import Phase, Reply
from mail.worker import accepted
from tests.db.mail.delivering import (
    accepted_of,
    assert_counts_agree,
    bind,
    results_of,
    send,
    take,
)

pytestmark = pytest.mark.usefixtures("transactional_db")

State = Delivery.State


def test_a_250_is_written_with_its_reply_and_its_moment():
    send("kim", "lee")
    claim = take(bind())
    odd = Reply(phase=Phase.DOT, code=250, enhanced="2.0.0", text="{\"a\\b\",c} 'd' %s", host="mx")

    results_of(claim, accepted_of(claim, after=1.25, reply=odd)).close()

    for row in Delivery.objects.all():
        assert (row.state, row.code, row.enhanced, row.host) == ("sent", "250", "2.0.0", "mx")
        assert row.reply == odd.text
        assert row.settled_at == claim.lease.claimed_at + timedelta(seconds=1.25)
    assert_counts_agree()


@pytest.mark.parametrize("other", [State.UNCERTAIN, State.FAILED, State.SENT])
def test_i5_a_late_250_stands_beside_those_of_the_others(other: State):
    """I5, I9: it turns any state into sent; a Delivery that was sent stays as it was."""
    message = send("kim", "lee", "park")
    claim = take(bind())
    lee = Delivery.objects.get(address="lee@example.com")
    transitions.settle(Delivery.objects.filter(pk=lee.pk), State.UNCERTAIN)
    if other is not State.UNCERTAIN:
        transitions.settle(Delivery.objects.filter(pk=lee.pk), State.SENT, reply="before")
    if other is State.FAILED:
        Delivery.objects.filter(pk=lee.pk).update(state=State.FAILED)
        Message.objects.filter(pk=message.pk).update(sent=0, failed=1)

    results_of(claim, accepted_of(claim, after=1.0)).close()

    replies = dict(Delivery.objects.values_list("address", "reply"))
    assert replies["lee@example.com"] == ("before" if other is State.SENT else "taken")
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}
    assert_counts_agree()


def test_written_twice_is_counted_once():
    send("kim")
    claim = take(bind())
    results = results_of(claim, accepted_of(claim, after=1.0))

    results.keep()
    results.keep()

    assert Delivery.objects.get().attempts == 1
    assert_counts_agree()


def test_nothing_accepted_writes_nothing(django_assert_num_queries):
    send("kim")
    claim = take(bind())

    with django_assert_num_queries(0):
        accepted.write(claim.lease, [])
