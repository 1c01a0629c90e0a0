"""A shop in the test database: a product whose terms are in force, and its subscribers."""

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model

from mail.models import Message
from seller import services
from seller.calendar import today
from seller.models import Product, Seller, Subscription, Terms


def make_product(number: int = 1) -> Product:
    """A product of a seller, on sale."""
    seller = Seller.objects.create(
        name="모아 농장",
        representative="김모아",
        business_number=f"123-45-{number:05}",
        phone="02-123-4567",
        email="help@farm.example",
        address="서울시 중구 모아로 1",
    )
    product = Product.objects.create(seller=seller, name="아침 우유", price=9_900)
    first = services.draft_terms(
        product=product, title="이용약관", body="제1조 목적\n", effective_on=today()
    )
    services.publish_terms(terms=first, by=operator())
    return product


def subscribe_many(product: Product, count: int, *, prefix: str = "user") -> None:
    """So many subscribers, user0@example.com and up."""
    agreed = product.terms.in_force().first()
    Subscription.objects.bulk_create(
        [
            Subscription(
                product=product,
                address=f"{prefix}{number}@example.com",
                name=f"구독자 {number}",
                agreed_terms=agreed,
            )
            for number in range(count)
        ],
        batch_size=2000,
    )


def publish_change(product: Product) -> Message:
    """Publish the next version of the product's terms; returns the broadcast's Message."""
    return publish(draft_change(product))


def draft_change(product: Product) -> Terms:
    return services.draft_terms(
        product=product,
        title="이용약관",
        body="제1조 새 목적\n",
        reason="원유 가격이 올랐습니다.",
        effective_on=today() + timedelta(days=7),
    )


def publish(terms: Terms) -> Message:
    message = services.publish_terms(terms=terms, by=operator()).message
    assert message is not None
    return message


def operator() -> Any:
    found, _ = get_user_model().objects.get_or_create(
        username="operator", defaults={"is_superuser": True, "is_staff": True}
    )
    return found
