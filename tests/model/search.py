"""The search: many examples, each a random sequence of what may happen, and what they visited."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from django.contrib.auth import get_user_model
from django.db import connection
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import MailMachine
from tests.model.slots import Slot
from tests.model.visited import Visited
from tests.model.world import close_marks

PEOPLE = 5  # accounts, two of which share an address


def search(*, examples: int, steps: int, number: int, visited: Visited, shrink: bool) -> None:
    """Try so many examples from the seed `number`. Raises what the first broken one raised.

    With `shrink`, a broken example is made as small as it goes and told step by step.
    """
    phases = [Phase.generate, *([Phase.shrink] if shrink else [])]
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        phases=phases,
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    with slots() as made:
        MailMachine.slots, MailMachine.visited = made, visited
        run_state_machine_as_test(seed(number)(MailMachine), settings=chosen)


@contextmanager
def slots() -> Iterator[list[Slot]]:
    """Three slots of workers, each a thread with database sessions of its own."""
    made = [Slot(number) for number in range(3)]
    for slot in made:
        slot.do(hasten)
    try:
        yield made
    finally:
        for slot in made:
            slot.do(close_marks)
            slot.finish()


def invite() -> None:
    """Make the accounts that broadcasts go to."""
    for number in range(PEOPLE):
        get_user_model().objects.create(
            username=f"user{number}",
            email=f"user{number % (PEOPLE - 1)}@example.com",
            date_joined=datetime(2000, 1, 1, tzinfo=UTC),
        )
    hasten()


def hasten() -> None:
    """Let no commit of this session wait for the disk: the crash of the model is another."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = off")
