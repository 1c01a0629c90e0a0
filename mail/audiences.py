"""Audiences: named queries that yield the recipients of a broadcast.

The app that knows the people declares the query; the mail app runs it page by page, inside the
database, in the background:

    @audiences.declare("seller.subscribers")
    def subscribers(*, moment: datetime, terms: int) -> QuerySet: ...

`moment` is when the broadcast was sent: who joined later is not told, who left before is not.
The query is ordered and paged by primary key and must have the annotations or fields `address`
(normalised by `mail.content.addresses.normalise` when it was stored) and `name`.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

Audience = Callable[..., QuerySet[Any]]

_audiences: dict[str, Audience] = {}


class UnknownAudience(LookupError):
    """An audience of this name was never declared."""


def declare(name: str) -> Callable[[Audience], Audience]:
    """Make a query known as an audience. Raises ValueError for a name taken twice."""

    def register(query: Audience) -> Audience:
        if _audiences.setdefault(name, query) is not query:
            raise ValueError(f"audience {name!r} is declared twice")
        return query

    return register


def recipients(name: str, params: dict[str, Any], moment: datetime) -> QuerySet[Any]:
    """The recipients of an audience as of `moment`; raises UnknownAudience."""
    try:
        query = _audiences[name]
    except KeyError:
        known = ", ".join(sorted(_audiences))
        raise UnknownAudience(f"no audience {name!r}; declared are: {known}") from None
    return query(moment=moment, **params)
