"""The judgement of `python -m tests.integration.requests.latency`; the run itself is no test."""

from tests.integration.requests.latency import DELIVERING, Samples, shortfalls

EVEN = [0.010] * 99 + [0.020]


def table(faulty: list[float], *, name: str = "RabbitMQ stopped") -> dict:
    return {name: Samples(healthy=EVEN, faulty=faulty, recoveries=[1.0]).row()}


def test_what_is_as_fast_as_in_health_is_within_its_limits():
    assert shortfalls(table(EVEN)) == []


def test_a_slower_median_falls_short():
    (found,) = shortfalls(table([second * 1.2 for second in EVEN]))

    assert "p50 1.2 > 1.1" in found


def test_a_slow_hundredth_falls_short():
    (found,) = shortfalls(table([0.010] * 90 + [0.050] * 10))

    assert "p99" in found


def test_the_row_with_mails_leaving_is_not_judged():
    assert shortfalls(table([1.0] * 100, name=DELIVERING)) == []
