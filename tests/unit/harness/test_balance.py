"""The ledger finds what is lost, doubled or untrue; each test is a negative control of the run."""

from collections import Counter

import pytest

from tests.harness.balance import Ledger, Loss, Row, Wanted, balance

KIM = ("<1@moa.example>", "kim@example.com")


def row(**fields) -> Row:
    return Row(
        **{
            "pk": 1,
            "message": 1,
            "mail": KIM,
            "state": "sent",
            "kind": "payment.receipt",
            "holds": False,
            **fields,
        }
    )


def wanted(**fields) -> Wanted:
    return Wanted(
        **{
            "operation": "payment 1",
            "recipients": frozenset(["kim@example.com"]),
            "acknowledged": True,
            "message": 1,
            **fields,
        }
    )


def balanced(rows=None, copies: int = 1, *, said=None, ask=None, losses=()) -> Ledger:
    rows = [row()] if rows is None else rows
    return balance(
        wanted=[wanted()] if ask is None else ask,
        rows=rows,
        taken=Counter({KIM: copies} if copies else {}),
        counts={1: {"sent": 0, **Counter(one.state for one in rows)} if said is None else said},
        losses=losses,
    )


def test_one_copy_of_one_acknowledged_mail_is_in_order():
    ledger = balanced()

    assert not ledger.violations
    assert (ledger.attempted, ledger.acknowledged, ledger.delivered, ledger.lost) == (1, 1, 1, 0)


@pytest.mark.parametrize(
    ("rows", "copies", "word"),
    [
        ([row()], 0, "lost"),
        ([], 0, "lost"),
        ([row(state="queued")], 0, "stuck"),
        ([row()], 2, "duplicated"),
        ([row(unsure=1)], 3, "duplicated"),
        ([row(unsure=1, holds=True)], 2, "kind that holds"),
        ([row(state="failed")], 1, "untrue"),
        ([], 1, "unexpected"),
    ],
)
def test_what_is_wrong_with_a_mail_is_found(rows: list[Row], copies: int, word: str):
    assert any(word in line for line in balanced(rows, copies).violations)


@pytest.mark.parametrize(
    ("rows", "copies"),
    [
        ([row(unsure=1)], 2),
        ([row(state="uncertain", unsure=1, holds=True)], 0),
        ([row(state="uncertain", unsure=1, holds=True)], 1),
        ([row(state="failed", code="550")], 0),
        ([row(state="cancelled")], 0),
    ],
)
def test_what_is_on_record_as_such_is_in_order(rows: list[Row], copies: int):
    assert not balanced(rows, copies).violations


def test_counts_that_differ_from_the_rows_are_found():
    assert "uneven" in balanced(said={"sent": 2}).violations[0]


def test_what_nobody_was_told_of_may_be_there_or_not():
    there = balanced(ask=[wanted(acknowledged=False)])
    not_there = balanced([], 0, ask=[wanted(acknowledged=False, message=None)], said={})

    assert (there.recovered, there.violations) == (1, [])
    assert (not_there.recovered, not_there.violations) == (0, [])


def test_a_dead_worker_leaves_one_uncertain_mail_unless_postgresql_died_with_it():
    one = balanced(losses=[Loss(batch=1, unsure=1, database_crashed=False)])
    two = balanced(losses=[Loss(batch=1, unsure=2, database_crashed=False)])
    both = balanced(losses=[Loss(batch=1, unsure=9, database_crashed=True)])

    assert (one.unsure_by_death, one.violations) == (1, [])
    assert "unsure" in two.violations[0]
    assert (both.unsure_by_double_death, both.violations) == (9, [])
