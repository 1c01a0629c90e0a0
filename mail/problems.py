"""Problems: which error of the domain the HTTP API answers with which status and code.

An app declares its own in a module `problems`, which is found at start:

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
    """The field of the request that the caller can correct; then `status` is 400."""


@singledispatch
def describe(error: Exception) -> Problem | None:
    """The Problem that this error, or the nearest class it derives from, was declared as.

    None for an error that nobody declared: a fault of the server.
    """
    return None


def declare(error: type[Exception], *, status: int, code: str, field: str = "") -> None:
    """Let the API answer an error, and those derived from it, with a status and a code.

    With `field`, it is one of that field of the request. Raises ValueError for a class that was
    declared before, and for a field with a status other than 400.
    """
    if error in describe.registry:
        raise ValueError(f"{error.__name__} is declared twice")
    if field and status != 400:
        raise ValueError(f"{error.__name__}: an error of a field has status 400, not {status}")

    def problem(raised: Exception) -> Problem:
        return Problem(status=status, code=code, detail=str(raised), field=field)

    describe.register(error)(problem)


declare(InvalidMail, status=400, code="invalid_mail")
declare(outbox.KeyConflict, status=409, code="key_conflict")
declare(outbox.NotResumable, status=409, code="not_resumable")


@describe.register
def _(error: InvalidFilter) -> Problem:
    return Problem(status=400, code="invalid_filter", detail=error.reason, field=error.field)
