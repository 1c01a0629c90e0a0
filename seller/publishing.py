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
    """The draft is not published; the text says why, for people."""


class AlreadyPublished(PublishRefused):
    """This version was published before; nobody is told twice."""


class BroadcastUnfinished(PublishRefused):
    """People are still being told of an earlier change."""


class OutOfOrder(PublishRefused):
    """A version that comes later, by its number or its day, was published already."""


class ReasonMissing(PublishRefused):
    """A change is told with its reason."""


class NoticeTooShort(PublishRefused):
    """The version would take effect before people had the notice that is due to them."""


def check(terms: Terms) -> None:
    """Pass a draft that may be published on a day that keeps the notice; raises PublishRefused.

    Raises ValidationError when a text that the mail shows cannot be sent.
    """
    if terms.is_published:
        raise AlreadyPublished(_("This version is published already."))
    _check_order(terms)
    _check_broadcasts(terms)
    if terms.previous and not terms.reason.strip():
        raise ReasonMissing(_("Write the reason for the change; the notice must name it."))
    terms.clean_fields(exclude={"product", "published_by", "message"})
    terms.product.clean_fields(exclude={"seller"})
    terms.product.seller.clean_fields()


def check_notice(terms: Terms, *, by: "AbstractUser", override_reason: str) -> bool:
    """Whether the notice is shorter than the rule, by right and with a reason; else NoticeTooShort.

    No right moves the day into the past.
    """
    if terms.effective_on >= earliest(terms):
        return False
    if terms.effective_on >= today() and override_reason.strip() and by.has_perm(OVERRIDE):
        return True
    raise NoticeTooShort(
        _("Published today, this version may take effect on %(day)s at the earliest.")
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
        raise OutOfOrder(_("A later version is published already; draft a new one."))
    if terms.previous and terms.effective_on <= terms.previous.effective_on:
        raise OutOfOrder(
            _("The version before this one takes effect on %(day)s; this one must come later.")
            % {"day": terms.previous.effective_on.isoformat()}
        )


def _check_broadcasts(terms: Terms) -> None:
    if terms.product.terms.being_announced().exists():
        raise BroadcastUnfinished(
            _("The notice of an earlier change is still being sent; wait for it or cancel it.")
        )
