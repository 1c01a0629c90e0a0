"""Resend filter: which Deliveries a person wants to send again.

The command, the admin and the API share these rules.
"""

from datetime import datetime

from mail import kinds
from mail.content import addresses
from mail.models import Delivery, Message
from mail.models.delivery import DeliveryQuerySet

MOST = 1_000_000
FIRST_YEAR, LAST_YEAR = 1970, 9998


class InvalidFilter(ValueError):
    """A filter has an invalid value; `field` and `reason` say which and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def failed(
    *,
    message: int | None = None,
    kind: str | None = None,
    code: str | None = None,
    domain: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    include_uncertain: bool = False,
) -> DeliveryQuerySet:
    """The Deliveries that a resend would queue again, oldest first.

    Failed ones and, if asked, uncertain ones; never those of a Message that was cancelled or
    whose content was erased. `code` is the server's basic reply code or one of Moa's (`expired`),
    `domain` the part of the address after the @. They were settled at `since` or later and before
    `until`; `limit` keeps the oldest. Raises InvalidFilter.
    """
    found = Delivery.objects.resendable(include_uncertain=include_uncertain)
    if message is not None:
        found = found.filter(message=_known_message(message))
    if kind is not None:
        found = found.filter(message__kind=_known_kind(kind))
    if code is not None:
        found = found.filter(code=code)
    if domain is not None:
        found = found.filter(address__endswith=f"@{_normalised(domain)}")
    if since is not None:
        found = found.filter(settled_at__gte=_plausible("since", since))
    if until is not None:
        if since is not None and since >= until:
            raise InvalidFilter("until", "must be later than since")
        found = found.filter(settled_at__lt=_plausible("until", until))
    return _oldest(found.order_by("pk"), limit)


def _known_message(pk: int) -> int:
    if not Message.objects.filter(pk=pk).exists():
        raise InvalidFilter("message", f"there is no message {pk}")
    return pk


def _known_kind(name: str) -> str:
    """A declared kind, or one that some Message still has."""
    if name not in kinds.names() and not Message.objects.filter(kind=name).exists():
        raise InvalidFilter("kind", f"{name!r} is not one of {', '.join(kinds.names())}")
    return name


def _normalised(domain: str) -> str:
    try:
        return addresses.normalise(f"x@{domain.removeprefix('@')}").partition("@")[2]
    except addresses.InvalidAddress:
        raise InvalidFilter("domain", f"{domain!r} is not a domain such as example.com") from None


def _plausible(field: str, moment: datetime) -> datetime:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise InvalidFilter(field, f"the year must be between {FIRST_YEAR} and {LAST_YEAR}")
    return moment


def _oldest(found: DeliveryQuerySet, limit: int | None) -> DeliveryQuerySet:
    """Limit the query by id, not by a slice: it can still be filtered, and paged through while
    rows drop out of it."""
    if limit is None:
        return found
    if not 1 <= limit <= MOST:
        raise InvalidFilter("limit", f"must be between 1 and {MOST:,}")
    last = found.values_list("pk", flat=True)[limit - 1 : limit].first()
    return found if last is None else found.filter(pk__lte=last)
