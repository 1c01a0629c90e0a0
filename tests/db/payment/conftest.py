"""A seller with a product on sale, who acts for whom, and a payment in each state."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from payment import gateways, services
from payment.gateways import Approval, sandbox
from payment.models import Payment
from seller.calendar import today
from seller.models import Product, Seller, Terms

KEY = "sandbox_1"


@pytest.fixture(autouse=True)
def webhook_secret(settings: Settings) -> str:
    settings.PAYMENT_WEBHOOK_SECRETS = [sandbox.DEVELOPMENT_SECRET]
    return sandbox.DEVELOPMENT_SECRET


def make_product(name: str = "달빛 커피", number: str = "123-45-67890", **fields: Any) -> Product:
    seller = Seller.objects.create(
        name=f"{name} 상점",
        representative="김모아",
        business_number=number,
        phone="02-123-4567",
        email="help@moonlight.example",
        address="서울시 중구 세종대로 110",
    )
    product = Product.objects.create(seller=seller, name=name, **{"price": 9900} | fields)
    Terms.objects.create(
        product=product,
        title="이용약관",
        body="제1조",
        effective_on=today() - timedelta(days=30),
        published_at=timezone.now() - timedelta(days=40),
    )
    return product


def approval_of(payment: Payment, **facts: Any) -> Approval:
    said = {
        "payment_key": KEY,
        "order_number": payment.order_number,
        "amount": payment.amount,
        "currency": "KRW",
        "method": "신용카드 ****-1234",
        "approved_at": datetime(2026, 11, 30, 15, 30, tzinfo=UTC),
    }
    return Approval(**said | facts)


@pytest.fixture
def product(db: None) -> Product:
    return make_product()


@pytest.fixture
def other_product(db: None) -> Product:
    return make_product("남의 차", "999-99-99999")


@pytest.fixture
def ready(product: Product) -> Payment:
    return open_one(product)


@pytest.fixture
def paid(ready: Payment) -> Payment:
    return services.complete_payment(payment_id=ready.pk, approval=approval_of(ready))


def open_one(product: Product, **facts: Any) -> Payment:
    order = {
        "buyer_address": "buyer@example.com",
        "buyer_name": "홍길동",
        "amount": product.price,
        "order_number": "order-1",
    }
    return services.open_payment(product=product, **order | facts)[0]


@pytest.fixture
def confirm(ready: Payment) -> Callable[..., Payment]:
    """Confirm the ready payment as it was read before, other facts than the usual by keyword."""

    def call(**facts: Any) -> Payment:
        usual = {"payment_key": KEY, "amount": ready.amount, "gateway": gateways.DEFAULT}
        return services.confirm_payment(payment=ready, **usual | facts)

    return call


@pytest.fixture
def staff(product: Product) -> User:
    """One who acts for the seller of `product`."""
    user = User.objects.create_user("staff", is_staff=True)
    product.seller.staff.add(user)
    return user


@pytest.fixture
def stranger(other_product: Product) -> User:
    """One who acts for another seller."""
    user = User.objects.create_user("stranger", is_staff=True)
    other_product.seller.staff.add(user)
    return user


@pytest.fixture
def api(staff: User) -> APIClient:
    """The API as the staff of the seller uses it."""
    client = APIClient()
    client.force_authenticate(staff)
    return client
