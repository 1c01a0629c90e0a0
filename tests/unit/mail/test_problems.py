"""The registry of problems: what is declared, and for whom."""

import pytest

from mail import problems
from mail.problems import Problem


class Busy(ValueError):
    """Declared below."""


class VeryBusy(Busy):
    """Declared apart."""


class BusyToday(Busy):
    """Not declared itself."""


class Odd(ValueError):
    """An error of a field."""


problems.declare(Busy, status=409, code="busy")
problems.declare(VeryBusy, status=503, code="very_busy")
problems.declare(Odd, status=400, code="odd", field="number")


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (Busy("wait"), Problem(status=409, code="busy", detail="wait")),
        (VeryBusy("wait"), Problem(status=503, code="very_busy", detail="wait")),
        (BusyToday(), Problem(status=409, code="busy", detail="")),
        (Odd("not even"), Problem(status=400, code="odd", detail="not even", field="number")),
        (ValueError("a fault of ours"), None),
    ],
)
def test_an_error_is_described_by_its_nearest_declared_class(
    error: Exception, problem: Problem | None
):
    assert problems.describe(error) == problem


def test_an_error_is_declared_once():
    with pytest.raises(ValueError, match="Busy is already declared"):
        problems.declare(Busy, status=400, code="busy")

    assert problems.describe(Busy()) == Problem(status=409, code="busy", detail="")


def test_an_error_of_a_field_is_a_bad_request():
    with pytest.raises(ValueError, match="status 400, not 409"):
        problems.declare(BusyToday, status=409, code="busy", field="number")
