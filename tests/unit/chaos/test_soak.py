"""Memory is judged once a process is warm, and only if it lived long enough."""

import os

from chaos.soak import SHORTEST, Sample, growth, sample


def life(*rss: int) -> list[Sample]:
    return [Sample(at=60.0 * minute, rss=kib, pss=kib // 2) for minute, kib in enumerate(rss)]


def test_growth_is_the_last_fifth_against_the_first_after_the_warm_up():
    found = growth(life(10, 50, 100, 100, 100, 101, 110, 110), warm_up=120)

    assert found["growth"] == 0.1
    assert found["rss_kib"] == [100, 110]
    assert found["pss_kib"] == [50, 55]


def test_a_process_that_died_young_is_not_judged():
    assert SHORTEST == 120
    assert growth(life(100, 100, 200), warm_up=60) == {}
    assert growth(life(100, 100, 100, 200), warm_up=60)["seconds"] == 120


def test_a_sample_shares_out_what_is_shared():
    found = sample(os.getpid())

    assert 0 < found.pss <= found.rss
