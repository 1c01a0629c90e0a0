"""Audiences: named queries that yield the recipients of a broadcast.

The app that owns the data declares the query; the mail app runs it in the background, page by
page, inside the database:

    @audiences.declare("seller.subscribers")
    def subscribers(*, moment: datetime, terms: int) -> QuerySet: ...

`moment` is when the broadcast was sent: it leaves out people who joined later or had left before.
The query is ordered and paged by primary key. It must have the fields or annotations `address`
(normalised by `mail.content.addresses.normalise` when it was stored) and `name`.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

Audience = Callable[..., QuerySet[Any]]

_audiences: dict[str, Audience] = {}


class UnknownAudience(LookupError):
    """No audience of this name is declared."""


def declare(name: str) -> Callable[[Audience], Audience]:
    """Register a query as an audience. Raises ValueError if the name is taken."""

    def register(query: Audience) -> Audience:
        if _audiences.setdefault(name, query) is not query:
            raise ValueError(f"audience {name!r} is already declared")
        return query

    return register


def recipients(name: str, params: dict[str, Any], moment: datetime) -> QuerySet[Any]:
    """The recipients of an audience as of `moment`; raises UnknownAudience."""
    try:
        query = _audiences[name]
    except KeyError:
        known = ", ".join(sorted(_audiences))
        raise UnknownAudience(f"no audience {name!r} is declared, only {known}") from None
    return query(moment=moment, **params)
