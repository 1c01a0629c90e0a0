"""The counts of a Message are the sums of its rows, whatever moves them."""

import random
from collections import Counter

import pytest

from mail import outbox
from mail.ledger import transitions
from mail.models import Delivery, Message
from tests.db.mail.threads import in_threads
from tests.unit.mail.mails import RECEIPT, receipt

State = Delivery.State


def assert_counts_agree() -> None:
    """Every Message counts exactly its rows, state by state."""
    rows = Counter(Delivery.objects.values_list("message_id", "state"))
    for message in Message.objects.all():
        for state in State.values:
            assert getattr(message, state) == rows[message.pk, state]


def some(chance: random.Random, *states: str):
    """A query for a random choice of Deliveries, of those in some states if any are named."""
    everything = list(Delivery.objects.values_list("pk", flat=True))
    found = Delivery.objects.filter(pk__in=chance.sample(everything, chance.randint(0, 12)))
    return found.filter(state__in=states) if states else found


MOVES = [
    lambda chance: transitions.settle(some(chance), State.SENT),
    lambda chance: transitions.settle(some(chance, State.QUEUED), State.FAILED, code="550"),
    lambda chance: transitions.settle(some(chance, State.QUEUED), State.UNCERTAIN),
    lambda chance: transitions.settle(some(chance, State.QUEUED), State.CANCELLED),
    lambda chance: transitions.requeue(some(chance, State.FAILED, State.UNCERTAIN)),
    lambda chance: outbox.resend(some(chance), include_uncertain=chance.random() < 0.5),
    lambda chance: outbox.mark_sent(some(chance)),
]


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(4))
def test_counts_are_the_sums_of_the_rows_after_random_moves(seed: int, monkeypatch):
    monkeypatch.setattr(transitions, "PAGE", 5)
    chance = random.Random(seed)
    for message in range(4):
        addresses = [f"u{number}@m{message}.example" for number in range(10)]
        outbox.send(receipt(*addresses), kind=RECEIPT)

    for _ in range(25):
        chance.choice(MOVES)(chance)

        assert_counts_agree()


@pytest.mark.django_db
def test_a_settled_delivery_waits_for_nothing():
    message = outbox.send(receipt(), kind=RECEIPT)

    settled = transitions.settle(message.deliveries.all(), State.FAILED, code="550", reply="no")

    delivery = message.deliveries.get()
    assert settled == 1
    assert (delivery.state, delivery.code, delivery.reply) == (State.FAILED, "550", "no")
    assert delivery.settled_at is not None
    assert (delivery.due_at, delivery.paused) == (None, False)


@pytest.mark.django_db
def test_moves_within_a_state_change_no_count(django_assert_num_queries):
    message = outbox.send(receipt(), kind=RECEIPT)

    with django_assert_num_queries(0):
        transitions.count([(message.pk, State.QUEUED, State.QUEUED)])


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_people_and_workers_who_move_the_same_rows_never_wait_in_a_circle():
    """Row locks are taken in one order: Deliveries by id, then Messages by id."""
    for message in range(4):
        outbox.send(receipt(*(f"u{n}@m{message}.example" for n in range(10))), kind=RECEIPT)

    def mover(seed: int):
        def move() -> int:
            chance = random.Random(seed)
            for _ in range(15):
                chance.choice(MOVES)(chance)
            return 1

        return move

    assert in_threads(1, *(mover(seed) for seed in range(4))) == [1] * 4
    assert_counts_agree()
