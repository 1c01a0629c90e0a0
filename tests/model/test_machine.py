"""Whatever happens, in whatever order: the ledger is even, and every mail is accounted for."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import MailMachine
from tests.model.slots import Slot

AT_ONCE = 20  # examples between two looks at the clock
BUDGET = 75  # seconds; the long profile has no such bound


@pytest.mark.usefixtures("people")
def test_i3_i4_i9_i13_every_mail_is_accounted_for_after_every_step(
    slots: list[Slot], request: pytest.FixtureRequest
):
    """I3, I4, I9, I13: the real functions against the model, with every fault in between.

    A slow machine, or PostgreSQL, tries as many examples as there is time for, and says so.
    """
    MailMachine.slots = slots
    chosen = request.config.getoption("--hypothesis-profile") or "model"
    profile = settings.get_profile(chosen)
    given = request.config.getoption("--hypothesis-seed")
    number = int(given or datetime.now(UTC).date().toordinal() * 1000)
    began, done = time.monotonic(), 0

    while done < profile.max_examples:
        print(f"--hypothesis-seed={number} repeats what follows")  # noqa: T201
        part = settings(profile, max_examples=min(AT_ONCE, profile.max_examples - done))
        run_state_machine_as_test(seed(number)(MailMachine), settings=part)
        number, done = number + 1, done + part.max_examples
        if chosen != "long" and time.monotonic() - began > BUDGET:
            break

    took = time.monotonic() - began
    print(f"{done} examples of {profile.stateful_step_count} steps in {took:.0f} s")  # noqa: T201
