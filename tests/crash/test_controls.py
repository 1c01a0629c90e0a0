"""Negative controls: with a seeded bug in the processes, the test that guards against it fails.

These are quick; `python -m tests.crash.controls` has all.
"""

import inspect
from importlib import import_module

import pytest

from tests.crash.bugs import BUGS
from tests.harness.ports import NotReady

QUICK = ["claim-without-condition", "record-after-the-next-dot", "publish-without-looking"]


@pytest.mark.parametrize("bug", QUICK)
def test_a_seeded_bug_is_found(bug: str, request: pytest.FixtureRequest):
    """The fixture `stage` starts its processes with the bug."""
    module, _, name = BUGS[bug].found_by.partition(".py::")
    finder = getattr(import_module(f"tests.crash.{module}"), name)
    wanted = inspect.signature(finder).parameters
    given = {fixture: request.getfixturevalue(fixture) for fixture in wanted}

    with pytest.raises((AssertionError, NotReady)) as failure:
        finder(**given)

    print(failure.value)  # noqa: T201
