"""The leader: any number of relays, one of which leads."""

from datetime import timedelta

import pytest
from django.utils import timezone

from mail.models import RelayLease
from mail.relay import leader
from mail.relay.leader import LEASE, RENEW_EVERY, Leader
from tests.db.mail.clock import Clock
from tests.db.mail.threads import in_threads

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(leader, "time", clock)
    return clock


def expire() -> None:
    RelayLease.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


def test_the_first_relay_leads_and_the_others_wait():
    first, second = Leader(), Leader()

    found = [relay.is_leading() for relay in (first, second, second, first)]

    assert found == [True, False, False, True]
    assert RelayLease.objects.get().holder == first.holder


def test_a_relay_takes_over_when_the_lease_is_over(clock: Clock):
    first, second = Leader(), Leader()
    first.is_leading()
    expire()

    assert second.is_leading()
    clock.now += RENEW_EVERY
    assert not first.is_leading()


def test_a_leader_renews_before_its_lease_is_over(clock: Clock):
    leader = Leader()
    leader.is_leading()
    RelayLease.objects.update(lease_until=timezone.now() + timedelta(seconds=1))
    clock.now += RENEW_EVERY

    assert leader.is_leading()
    assert RelayLease.objects.get().lease_until > timezone.now() + LEASE - timedelta(seconds=2)


def test_a_takeover_comes_within_ten_seconds():
    """The lease, and the longest a relay that waits may rest."""
    assert LEASE + timedelta(seconds=2) <= timedelta(seconds=10)
    assert LEASE.total_seconds() >= RENEW_EVERY * 3


def test_a_leader_asks_the_database_only_now_and_then(clock: Clock, django_assert_num_queries):
    leader = Leader()
    with django_assert_num_queries(2):
        for _ in range(20):
            leader.is_leading()
            clock.now += RENEW_EVERY / 10


def test_a_leader_that_was_suspended_asks_first(clock: Clock):
    first, second = Leader(), Leader()
    first.is_leading()
    clock.now += 60
    expire()
    second.is_leading()

    assert not first.is_leading()


def test_a_relay_that_ends_steps_down():
    first, second = Leader(), Leader()
    first.is_leading()
    first.step_down()

    assert second.is_leading()
    assert not first.is_leading()


def test_who_does_not_lead_gives_nothing_away():
    first, second = Leader(), Leader()
    first.is_leading()
    second.step_down()

    assert not second.is_leading()


@pytest.mark.postgresql
def test_of_relays_that_start_at_once_one_leads():
    assert sum(in_threads(6, lambda: Leader().is_leading())) == 1
