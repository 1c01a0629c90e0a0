"""Pending work: what the relay asks of the database while nothing is due."""

from datetime import timedelta

import pytest
from django.utils import timezone

from mail import outbox
from mail.models import Batch, Broadcast, Delivery, Lane
from mail.relay.loop import Relay
from mail.relay.pending_work import PendingWork, look
from tests.db.mail.delivering import bind, send
from tests.db.mail.test_loop import Broker
from tests.unit.mail.mails import NOTICE, RECEIPT, notice

pytestmark = pytest.mark.usefixtures("transactional_db")

HOUR = timedelta(hours=1)


def test_an_idle_round_of_the_relay_is_one_query(django_assert_num_queries):
    send("later")
    Delivery.objects.update(due_at=timezone.now() + HOUR)
    relay = Relay()
    relay.publisher = Broker()  # type: ignore[assignment]
    relay.step()  # becomes the leader and does this second's maintenance

    with django_assert_num_queries(1):
        relay.step()


@pytest.mark.parametrize("kind", [RECEIPT, NOTICE])
def test_a_mail_that_is_due_is_seen_in_either_lane(kind):
    send("a", kind=kind)

    assert look() == PendingWork(due=frozenset([kind.lane]))


def test_a_mail_that_is_bound_and_published_or_parked_is_nothing_to_do():
    send("a")
    bind()
    Batch.objects.update(published_at=timezone.now())
    assert not look()

    parked = send("b")
    parked.deliveries.update(paused=True)
    assert not look()


@pytest.mark.parametrize("age", [None, HOUR])
@pytest.mark.parametrize("lane", Lane)
def test_a_batch_that_the_broker_does_not_have_is_seen(lane, age):
    published_at = age and timezone.now() - age
    Batch.objects.create(lane=lane, size=1, published_at=published_at)

    assert look() == PendingWork(unpublished=frozenset([lane]))


def test_a_broadcast_is_seen_until_all_recipients_are_known():
    outbox.broadcast(notice(), kind=NOTICE, audience="tests.users", params={})
    assert look() == PendingWork(unexpanded=True)

    Broadcast.objects.update(expanded_at=timezone.now())
    assert not look()
