"""Kinds: what a mail is for, and the policy that follows from it."""

from dataclasses import dataclass
from datetime import timedelta

from mail.models import Lane, OnUncertain

YEAR = timedelta(days=365)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """The policy of a mail, declared once by the app that sends it."""

    name: str
    """App and purpose, such as `payment.receipt`."""
    lane: Lane
    """Which queue carries it, and which SMTP server if the lanes have their own."""
    on_uncertain: OnUncertain = OnUncertain.RESEND
    """Whether an uncertain mail is sent once more or held for a person to decide."""
    give_up_after: timedelta = timedelta(hours=24)
    """A Delivery that is still queued this long after it was due fails as `expired`."""
    keep_for: timedelta | None = 5 * YEAR
    """How long the content is kept; zero erases it once sent, None keeps it indefinitely."""


class UnknownKind(LookupError):
    """No kind of this name is declared."""


_kinds: dict[str, Kind] = {}


def declare(kind: Kind) -> Kind:
    """Register a kind and return it. Raises ValueError if its name has another policy already."""
    if _kinds.setdefault(kind.name, kind) != kind:
        raise ValueError(f"kind {kind.name!r} is already declared with another policy")
    return kind


def get(name: str) -> Kind:
    """The declared kind of this name; raises UnknownKind."""
    try:
        return _kinds[name]
    except KeyError:
        raise UnknownKind(f"no kind {name!r} is declared, only {', '.join(names())}") from None


def names() -> list[str]:
    """The names of all declared kinds, sorted."""
    return sorted(_kinds)


DJANGO = declare(Kind(name="mail.django", lane=Lane.TRANSACTIONAL))
"""What `django.core.mail` sends through `mail.backends.OutboxBackend`."""

SECRET = declare(
    Kind(
        name="mail.secret",
        lane=Lane.TRANSACTIONAL,
        give_up_after=timedelta(hours=2),
        keep_for=timedelta(0),
    )
)
"""Mails that carry a secret, such as a password-reset link. Erased once sent."""
