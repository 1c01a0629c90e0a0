"""A shop in a database: products whose terms are in force, subscribers, and payments to confirm."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from knox.models import AuthToken

from mail.models import Message
from payment import gateways
from payment.models import Payment
from payment.vat import supply_value
from seller import services
from seller.calendar import today
from seller.models import Product, Seller, Subscription, Terms

PRICE = 9_900


def make_seller(number: int = 1) -> Seller:
    """A seller; `number` keeps the registration numbers of several apart."""
    return Seller.objects.create(
        name="모아 농장",
        representative="김모아",
        business_number=f"123-45-{number:05}",
        phone="02-123-4567",
        email="help@farm.example",
        address="서울시 중구 모아로 1",
    )


def make_product(
    number: int = 1, *, seller: Seller | None = None, name: str = "아침 우유", body: str = ""
) -> Product:
    """A product on sale, of a seller of its own unless one is named; its terms are in force."""
    product = Product.objects.create(seller=seller or make_seller(number), name=name, price=PRICE)
    first = services.draft_terms(
        product=product, title="이용약관", body=body or "제1조 목적\n", effective_on=today()
    )
    services.publish_terms(terms=first, by=operator())
    return product


def subscribe_many(product: Product, count: int, *, prefix: str = "user") -> None:
    """That many subscribers, from user0@example.com on."""
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
    """A draft of the next version, with a sufficient notice period."""
    return services.draft_terms(
        product=product,
        title="이용약관",
        body="제1조 새 목적\n",
        reason="원유 가격이 올랐습니다.",
        effective_on=today() + timedelta(days=7),
    )


def publish(terms: Terms) -> Message:
    """Publish a draft; returns the Message to its subscribers."""
    message = services.publish_terms(terms=terms, by=operator()).message
    assert message is not None
    return message


def open_payments(product: Product, count: int) -> list[int]:
    """The ids of that many payments to be confirmed, each by another buyer."""
    supply, first = supply_value(product.price), Payment.objects.count()
    rows = [
        Payment(
            order_number=f"order-{number}",
            product=product,
            provider=gateways.DEFAULT.name,
            buyer_address=f"buyer{number}@moa.example",
            buyer_name="홍길동",
            amount=product.price,
            supply_amount=supply,
            vat_amount=product.price - supply,
        )
        for number in range(first, first + count)
    ]
    return [payment.pk for payment in Payment.objects.bulk_create(rows, batch_size=1000)]


def token_for(product: Product) -> str:
    """A token of the API for the staff of the product's seller."""
    staff, _ = User.objects.get_or_create(username="staff")
    product.seller.staff.add(staff)
    token: str = AuthToken.objects.create(staff)[1]
    return token


def operator() -> Any:
    """A superuser, always the same."""
    found, _ = User.objects.get_or_create(
        username="operator", defaults={"is_superuser": True, "is_staff": True}
    )
    return found
