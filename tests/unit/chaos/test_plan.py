"""The plan is a pure function of the seed."""

from collections import Counter
from itertools import islice

import pytest

from chaos import plan
from chaos.faults import ACTIONS


def drawn(seed: int, count: int, **options) -> list[plan.Fault]:
    return list(islice(plan.faults(seed, **options), count))


def test_the_same_seed_is_the_same_plan():
    assert drawn(7, 300) == drawn(7, 300)
    assert drawn(7, 300)[:100] == drawn(7, 100)
    assert drawn(7, 300) != drawn(8, 300)


@pytest.mark.parametrize("mix", plan.MIXES)
def test_every_kind_of_a_mix_comes_and_can_be_carried_out(mix: str):
    kinds = Counter(fault.kind for fault in drawn(1, 2_000, mix=mix))

    assert set(kinds) == set(plan.MIXES[mix])
    assert set(kinds) <= set(ACTIONS)


def test_the_soak_deals_each_kind_as_often_as_its_mix_says():
    hands = [drawn(seed, 30, mix="soak") for seed in (1, 2)]

    kinds = [[fault.kind for fault in hand] for hand in hands]

    assert kinds[0] != kinds[1]
    assert all(Counter(one) == plan.MIXES["soak"] for one in kinds)


def test_faults_are_two_to_four_seconds_apart():
    gaps = [fault.after for fault in drawn(1, 1_000)]

    assert min(gaps) >= 2
    assert max(gaps) <= 4
    assert all(fault.number == number for number, fault in enumerate(drawn(1, 10), start=1))


def test_the_long_run_hits_web_relay_worker_broker_and_postgresql():
    sigkills = [fault for fault in drawn(1, 400) if fault.is_sigkill][:300]

    hit = Counter(fault.kind.split(".")[0] for fault in sigkills)

    assert set(hit) == {"web", "relay", "worker", "broker", "postgresql"}
    assert min(hit.values()) >= 8
