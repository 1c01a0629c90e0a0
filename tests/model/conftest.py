"""How much is tried: a minute or so in every run of the tests; much more by `--hypothesis-profile=long`."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from hypothesis import HealthCheck, settings

from tests.mail.conftest import transactional_db  # noqa: F401
from tests.model.slots import Slot
from tests.model.world import close_marks

COMMON = {
    "deadline": None,
    "database": None,
    "print_blob": True,
    "suppress_health_check": list(HealthCheck),
}
settings.register_profile(
    "model",
    **COMMON,
    max_examples=300,
    stateful_step_count=15,
)
settings.register_profile("long", **COMMON, max_examples=2000, stateful_step_count=50)


@pytest.fixture
def slots() -> Iterator[list[Slot]]:
    """Three slots of workers, each a thread with database sessions of its own."""
    made = [Slot(number) for number in range(3)]
    yield made
    for slot in made:
        slot.do(close_marks)
        slot.finish()


@pytest.fixture
def people(transactional_db: None) -> None:  # noqa: F811
    """The audience: five accounts, two of which share an address."""
    for number in range(5):
        get_user_model().objects.create(
            username=f"user{number}",
            email=f"user{number % 4}@example.com",
            date_joined=datetime(2000, 1, 1, tzinfo=UTC),
        )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = off")
