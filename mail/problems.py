"""Problems: the status and code with which the HTTP API answers each domain error.

An app declares its own in a module named `problems`, which is imported at startup:

    problems.declare(OrderConflict, status=409, code="order_conflict")

Nothing here needs Django REST framework; the project turns a Problem into a response.
"""

from dataclasses import dataclass
from functools import singledispatch

from mail import outbox
from mail.content.builder import InvalidMail
from mail.operations.resend_filter import InvalidFilter


@dataclass(frozen=True, kw_only=True)
class Problem:
    """An error as the caller of the API sees it."""

    status: int
    """The HTTP status."""
    code: str
    """Stable, for programs."""
    detail: str
    """For people; empty if the error has no text."""
    field: str = ""
    """The request field at fault, if there is one; `status` is then 400."""


@singledispatch
def describe(error: Exception) -> Problem | None:
    """The Problem declared for this error or for its nearest base class.

    None for an undeclared error, which is a fault of the server.
    """
    return None


def declare(error: type[Exception], *, status: int, code: str, field: str = "") -> None:
    """Declare the status and code with which the API answers an error and its subclasses.

    `field` names the request field at fault. Raises ValueError for a class that is declared
    already, and for a field with a status other than 400.
    """
    if error in describe.registry:
        raise ValueError(f"{error.__name__} is already declared")
    if field and status != 400:
        raise ValueError(f"{error.__name__}: a field error has status 400, not {status}")

    def problem(raised: Exception) -> Problem:
        return Problem(status=status, code=code, detail=str(raised), field=field)

    describe.register(error)(problem)


declare(InvalidMail, status=400, code="invalid_mail")
declare(outbox.KeyConflict, status=409, code="key_conflict")
declare(outbox.NotResumable, status=409, code="not_resumable")


@describe.register
def _(error: InvalidFilter) -> Problem:
    return Problem(status=400, code="invalid_filter", detail=error.reason, field=error.field)
