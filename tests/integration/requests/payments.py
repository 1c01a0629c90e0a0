"""Payments that wait to be confirmed, each of a buyer of its own, and who may confirm them."""

from django.contrib.auth import get_user_model
from knox.models import AuthToken

from payment import gateways
from payment.models import Payment
from payment.vat import supply_value
from seller.models import Product
from tests.db.payment.conftest import make_product


def open_many(product: Product, count: int) -> list[int]:
    """So many payments, by id, as the API opens them one by one."""
    supply, first = supply_value(product.price), Payment.objects.count()
    rows = [
        Payment(
            order_number=f"order-{number}",
            product=product,
            provider=gateways.DEFAULT.name,
            buyer_address=f"buyer{number}@example.com",
            buyer_name="홍길동",
            amount=product.price,
            supply_amount=supply,
            vat_amount=product.price - supply,
        )
        for number in range(first, first + count)
    ]
    return [payment.pk for payment in Payment.objects.bulk_create(rows, batch_size=1000)]


def open_shop() -> tuple[Product, str]:
    """A product on sale, and a token of the API for its seller's staff."""
    product = make_product()
    staff = get_user_model().objects.create(username="staff")
    product.seller.staff.add(staff)
    return product, AuthToken.objects.create(staff)[1]
