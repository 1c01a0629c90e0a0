"""What sellers and subscribers do; each function is one transaction, mail included."""

from datetime import date
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from mail import outbox
from mail.content.addresses import normalise
from mail.models import Message
from seller import mails, publishing
from seller.models import Product, Subscription, Terms

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser


class NotOnSale(ValueError):
    """The product is not on sale, or has no terms in force to agree to."""


def subscribe(*, product: Product, address: str, name: str) -> Subscription:
    """Start a subscription under the terms in force, or return the active one of this address.

    The subscription stores which version was agreed to and which upcoming one was shown. The
    product is locked FOR SHARE, so that a change published meanwhile is either announced to this
    subscriber or shown here. Whether the product is on sale is not checked: an order that was paid
    is fulfilled.

    Raises NotOnSale, InvalidAddress, or ValidationError for a name that no mail can carry.
    """
    candidate = Subscription(product=product, address=normalise(address), name=name)
    candidate.clean_fields(exclude={"product", "agreed_terms", "shown_terms"})
    with transaction.atomic(savepoint=False):
        Product.objects.lock_for_subscribing(product.pk)
        agreed, candidate.shown_terms_id = product.terms.agreed_and_shown()
        if agreed is not None:
            candidate.agreed_terms_id = agreed
            return Subscription.objects.start_once(candidate)
    raise NotOnSale(f"product {product.pk} has no terms in force")


def end_subscription(*, subscription: Subscription) -> Subscription:
    """End a subscription now, unless it has ended; return it refreshed."""
    Subscription.objects.active().filter(pk=subscription.pk).update(ended_at=Now())
    subscription.refresh_from_db(fields=["ended_at"])
    return subscription


@transaction.atomic
def draft_terms(
    *,
    product: Product,
    title: str,
    body: str,
    effective_on: date,
    reason: str = "",
    is_unfavourable: bool = False,
) -> Terms:
    """Draft the next version of a product's terms. Raises ValidationError."""
    Product.objects.lock_for_publishing(product.pk)
    terms = Terms(
        product=product,
        title=title,
        body=body,
        effective_on=effective_on,
        reason=reason,
        is_unfavourable=is_unfavourable,
    )
    terms.full_clean()
    terms.save()
    return terms


@transaction.atomic
def publish_terms(*, terms: Terms, by: "AbstractUser", override_reason: str = "") -> Terms:
    """Publish a draft and notify every active subscriber; return the published version.

    A first version has no notice. `override_reason` is stored if the notice is shorter than
    required and `by` has the permission for that.

    Raises PublishRefused (AlreadyPublished, BroadcastUnfinished, OutOfOrder, ReasonMissing,
    NoticeTooShort), or ValidationError for text that no mail can carry.
    """
    Product.objects.lock_for_publishing(terms.product_id)
    terms = Terms.objects.lock(terms.pk)
    publishing.check(terms)
    overridden = publishing.check_notice(terms, by=by, override_reason=override_reason)
    Terms.objects.filter(pk=terms.pk).update(
        published_at=Now(),
        published_by=by,
        override_reason=override_reason.strip() if overridden else "",
        message=_notify_subscribers(terms) if terms.previous else None,
    )
    return Terms.objects.with_seller().with_message().get(pk=terms.pk)


def _notify_subscribers(terms: Terms) -> Message:
    return outbox.broadcast(
        mails.terms_changed(terms),
        kind=mails.TERMS_CHANGED,
        audience="seller.subscribers",
        params={"terms": terms.pk},
        key=f"terms:{terms.pk}",
    )
