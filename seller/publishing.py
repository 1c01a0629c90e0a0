"""When a draft may be published, and why not."""

from datetime import date
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from seller.calendar import today
from seller.models import NoticePeriod, Terms

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

OVERRIDE = "seller.override_notice_period"


class PublishRefused(ValueError):
    """The draft cannot be published; the text tells people why."""


class AlreadyPublished(PublishRefused):
    """The version is already published; nobody is notified twice."""


class BroadcastUnfinished(PublishRefused):
    """The notice of an earlier change is still being sent."""


class OutOfOrder(PublishRefused):
    """A version with a later number or effective date is already published."""


class ReasonMissing(PublishRefused):
    """A change has no reason, which its notice must state."""


class NoticeTooShort(PublishRefused):
    """The version would take effect before its notice period ends."""


def check(terms: Terms) -> None:
    """Check that a draft may be published, apart from its notice period. Raises PublishRefused.

    Raises ValidationError if a text that the mail shows cannot be sent.
    """
    if terms.is_published:
        raise AlreadyPublished(_("This version is already published."))
    _check_order(terms)
    _check_broadcasts(terms)
    if terms.previous and not terms.reason.strip():
        raise ReasonMissing(_("Enter the reason for the change; the notice must state it."))
    terms.clean_fields(exclude={"product", "published_by", "message"})
    terms.product.clean_fields(exclude={"seller"})
    terms.product.seller.clean_fields()


def check_notice(terms: Terms, *, by: "AbstractUser", override_reason: str) -> bool:
    """Whether the notice is shorter than required, with permission and a reason.

    Raises NoticeTooShort without them. No permission allows a date in the past.
    """
    if terms.effective_on >= earliest(terms):
        return False
    if terms.effective_on >= today() and override_reason.strip() and by.has_perm(OVERRIDE):
        return True
    raise NoticeTooShort(
        _("If published today, this version may take effect on %(day)s at the earliest.")
        % {"day": earliest(terms).isoformat()}
    )


def earliest(terms: Terms) -> date:
    """The first day on which a version may take effect if it is published today."""
    if terms.previous is None:
        return today()
    return NoticePeriod.for_change(is_unfavourable=terms.is_unfavourable).earliest


def _check_order(terms: Terms) -> None:
    published = terms.product.terms.published()
    if published.filter(version__gt=terms.version).exists():
        raise OutOfOrder(_("A later version is already published; draft a new one."))
    if terms.previous and terms.effective_on <= terms.previous.effective_on:
        raise OutOfOrder(
            _("The previous version takes effect on %(day)s; this one must take effect later.")
            % {"day": terms.previous.effective_on.isoformat()}
        )


def _check_broadcasts(terms: Terms) -> None:
    if terms.product.terms.being_announced().exists():
        raise BroadcastUnfinished(
            _("The notice of an earlier change is still being sent; wait for it or cancel it.")
        )
