"""The mails of sellers; nothing here writes to the database or sends."""

from datetime import date, timedelta

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.urls import NoReverseMatch, reverse

from mail import kinds, outbox
from mail.content.compose import compose, mailbox, quotable
from mail.kinds import Kind
from mail.models import Lane
from seller import comparison
from seller.models import NoticePeriod, Terms

TERMS_CHANGED = kinds.declare(
    Kind(name="seller.terms_changed", lane=Lane.BULK, give_up_after=timedelta(hours=72))
)
"""A change of terms. Kept five years, as records of contracts are (E-commerce Act decree art. 6)."""


class NothingChanged(ValueError):
    """A first version of terms changes nothing, so it has no notice."""


def terms_changed(terms: Terms) -> EmailMultiAlternatives:
    """The notice of a change of terms, with placeholders for the subscriber's name and address.

    It says what the FTC's standard terms for internet malls art. 3 and the Terms Act art. 12
    require: which terms, the reason, the effective date, before and after, how and until when to
    object or cancel, and what silence means. It makes no offer: a line of promotion would make it
    advertising.

    Raises NothingChanged when no published version comes before this one.
    """
    if terms.previous is None:
        raise NothingChanged(f"terms {terms.pk} are the first of their product")
    seller = terms.product.seller
    context = {
        "name": outbox.NAME,
        "address": outbox.ADDRESS,
        "terms": terms,
        "previous": terms.previous,
        "product": terms.product,
        "seller": seller,
        "rows": comparison.compare(terms.previous.body, terms.body),
        "object_until": object_until(terms),
        "url": page_url(terms),
        "previous_url": page_url(terms.previous),
    }
    return compose(
        "seller/mail/terms_changed",
        context,
        sender_name=seller.name,
        reply_to=[mailbox(quotable(seller.name, seller.email), seller.email)],
    )


def object_until(terms: Terms) -> date:
    """The last day to object: the day before the change, but not before the notice period ends.

    So a shorter notice, where permitted, does not shorten the time to object.
    """
    period = NoticePeriod.for_change(is_unfavourable=terms.is_unfavourable)
    return max(terms.effective_on, period.earliest) - timedelta(days=1)


def page_url(terms: Terms) -> str:
    """The URL of a version's public page; empty if PUBLIC_URL or the page is not set up."""
    try:
        path = reverse("terms-page", args=[terms.pk])
    except NoReverseMatch:
        return ""
    public: str = getattr(settings, "PUBLIC_URL", "")
    return public.rstrip("/") + path if public else ""
