"""What sellers and subscribers do: each function is one transaction, mail included."""

from django.db import transaction

from mail.addresses import normalise
from seller.models import Product, Subscription, Terms


class NotOnSale(ValueError):
    """The product has no terms in force, so nobody can agree to them."""


@transaction.atomic
def subscribe(*, product: Product, address: str, name: str) -> Subscription:
    """Start a subscription under the terms in force, or return the active one of this address.

    It keeps which version was agreed to and which coming one was shown. Taken under FOR SHARE on
    the product, so that a change published meanwhile is either told by its notice or shown here.
    Whether the product is on sale is the affair of whoever takes the order: a paid one is kept.

    Raises NotOnSale, InvalidAddress, or ValidationError for a name that no mail can carry.
    """
    address = normalise(address)
    Product.objects.lock_for_subscribing(product.pk)
    agreed = Terms.objects.filter(product=product).in_force().first()
    if agreed is None:
        raise NotOnSale(f"product {product.pk} has no terms in force")
    shown = Terms.objects.filter(product=product).upcoming().last()
    candidate = Subscription(
        product=product, address=address, name=name, agreed_terms=agreed, shown_terms=shown
    )
    candidate.clean_fields(exclude={"product", "agreed_terms", "shown_terms"})
    found, _ = Subscription.objects.active().get_or_create(
        product=product,
        address=address,
        defaults={"name": name, "agreed_terms": agreed, "shown_terms": shown},
    )
    return found
