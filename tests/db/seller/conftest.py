"""A shop to test in: one seller with one product, whose first terms are in force."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from seller import services
from seller.calendar import today
from seller.models import Product, Seller, Subscription, Terms

BODY = """제1조(목적) 이 약관은 구독에 관한 권리와 의무를 정합니다.
제2조(요금) 월 요금은 9,900원입니다.
제3조(환불) 결제일부터 7일 이내에 환불합니다.
"""
NEW_BODY = """제1조(목적) 이 약관은 구독에 관한 권리와 의무를 정합니다.
제2조(요금) 월 요금은 12,900원입니다.
제3조(통지) 바뀐 내용은 30일 전에 알립니다.
"""


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_user("staff", is_staff=True)


@pytest.fixture
def admin(db: None) -> User:
    return User.objects.create_superuser("admin")


@pytest.fixture
def seller(staff: User) -> Seller:
    seller = Seller.objects.create(
        name="모아 농장",
        representative="김모아",
        business_number="123-45-67890",
        phone="02-123-4567",
        email="help@farm.example",
        address="서울시 중구 모아로 1",
    )
    seller.staff.add(staff)
    return seller


@pytest.fixture
def other_seller(db: None) -> Seller:
    seller = Seller.objects.create(
        name="다른 가게",
        representative="이다른",
        business_number="999-99-99999",
        phone="02-999-9999",
        email="help@other.example",
        address="부산시",
    )
    seller.staff.add(User.objects.create_user("stranger", is_staff=True))
    return seller


@pytest.fixture
def make_product(admin: User) -> Callable[..., Product]:
    """Make a product whose first version of terms is in force."""

    def make(seller: Seller, name: str = "아침 우유", body: str = BODY) -> Product:
        product = Product.objects.create(seller=seller, name=name, price=9_900)
        first = services.draft_terms(
            product=product, title="이용약관", body=body, effective_on=today()
        )
        services.publish_terms(terms=first, by=admin)
        return product

    return make


@pytest.fixture
def product(seller: Seller, make_product: Callable[..., Product]) -> Product:
    return make_product(seller)


@pytest.fixture
def draft(product: Product) -> Terms:
    return make_draft(product)


def make_draft(product: Product, **fields: Any) -> Terms:
    return services.draft_terms(
        **{
            "product": product,
            "title": "이용약관",
            "body": NEW_BODY,
            "reason": "원유 가격이 올랐습니다.",
            "effective_on": in_days(7),
            **fields,
        }
    )


def in_days(days: int) -> date:
    return today() + timedelta(days=days)


def subscribe(product: Product, number: int = 1) -> Subscription:
    return services.subscribe(
        product=product, address=f"user{number}@example.com", name=f"구독자 {number}"
    )
