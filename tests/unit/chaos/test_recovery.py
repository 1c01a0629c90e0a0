"""Recovery is counted from the fault, or the return of a server, to the progress of what it hit."""

from dataclasses import replace

import pytest

from chaos.evidence import Batch
from chaos.hit import Hit
from chaos.recovery import Progress, Recovery, percentile, recoveries, targets


def batch(pk: int, *, bound: float, claimed: float, closed: float, pid: int = 7) -> Batch:
    return Batch(pk, f"host:{pid}:1", 10, False, bound, claimed, closed, 0)


def progress(**given) -> Progress:
    return Progress(
        **{
            "requests": [(101, 101.5), (104, 104.2)],
            "batches": [
                batch(1, bound=98, claimed=99, closed=117),
                batch(2, bound=102, claimed=103, closed=104, pid=8),
                batch(3, bound=111, claimed=112, closed=113, pid=8),
            ],
            "taken_at": [99, 106],
            "ups": {"broker": [1, 110], "postgresql": [1, 103], "smtp": [1, 105]},
            **given,
        }
    )


@pytest.mark.parametrize(
    ("kind", "target", "pids", "outage", "seconds"),
    [
        ("worker.child.kill", "worker0", [7], 0, 17),  # its Batch was closed
        ("worker.child.kill", "worker0", [9], 0, 3),  # it had none: the next claim
        ("web.worker.kill", "web", [5], 0, 1.5),
        ("relay.kill", "relay0", [5], 0, 2),
        ("broker.kill", "broker", [5], 10, 2),
        ("postgresql.crash", "postgresql", [], 3, 8),
        ("smtp.kill", "smtp", [], 5, 1),
    ],
)
def test_recovery_of(kind: str, target: str, pids: list[int], outage: float, seconds: float):
    hit = Hit(number=1, kind=kind, at=100, target=target, pids=pids)

    (found,) = recoveries([hit], progress())

    assert (found.outage, found.seconds, found.alone) == (outage, seconds, True)


def test_the_mails_of_a_killed_worker_are_under_way_again_when_a_batch_bound_since_its_rescue_is_claimed():
    batches = [
        replace(batch(1, bound=98, claimed=99, closed=117), rescued=True),
        batch(2, bound=102, claimed=118, closed=119, pid=8),  # bound before: not these mails
        batch(3, bound=117.5, claimed=120, closed=121, pid=8),
    ]
    hit = Hit(number=1, kind="worker.machine.kill", at=100, target="worker0", pids=[7])

    (found,) = recoveries([hit], progress(batches=batches))

    assert (found.seconds, found.in_hand) == (20, True)


def recovery(kind: str, seconds: float | None, *, alone: bool = True) -> Recovery:
    return Recovery(Hit(number=1, kind=kind, at=0, target="x"), 0, seconds, alone, in_hand=True)


def test_a_target_is_judged_by_the_faults_that_none_overlapped_and_by_those_that_never_ended():
    found = [
        *(recovery("worker.child.kill", seconds) for seconds in (17, 21)),
        recovery("worker.child.kill", 90, alone=False),
        recovery("broker.kill", 9),
        recovery("broker.freeze", 40),
        recovery("postgresql.crash", None, alone=False),
    ]

    judged = {row["what"].split()[0]: (row["p95"], row["met"]) for row in targets(found)}

    assert judged == {
        "worker": (21, False),
        "broker": (9, True),
        "PostgreSQL": (None, False),
        "SMTP": (None, None),
    }


def test_a_fault_that_never_ended_has_no_recovery():
    hit = Hit(number=1, kind="broker.kill", at=200, target="broker")

    (found,) = recoveries([hit], progress())

    assert found.seconds is None


def test_a_fault_is_not_alone_when_another_came_before_it_was_over():
    hits = [
        Hit(number=1, kind="worker.child.kill", at=100, target="worker0", pids=[7]),
        Hit(number=2, kind="web.worker.kill", at=103, target="web"),
    ]

    assert [one.alone for one in recoveries(hits, progress())] == [False, True]


def test_percentiles_are_values_that_were_seen():
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile(list(range(1, 101)), 0.95) == 95
    assert percentile([], 0.5) is None
