"""`manage.py make_chaos_shop`: a seller, one product to buy, and some whose terms change."""

import json
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.db import transaction
from knox.models import AuthToken

from seller.calendar import today
from seller.models import Product, Seller, Subscription
from seller.services import draft_terms, publish_terms


class Command(BaseCommand):
    help = "Make the shop that the load buys from; prints ids and an API token as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--products", type=int, default=4)
        parser.add_argument("--subscribers", type=int, default=300, help="Of each product.")

    @transaction.atomic
    def handle(self, *args: Any, products: int, subscribers: int, **options: Any) -> None:
        user = User.objects.create_superuser("chaos", "chaos@moa.example")
        seller = Seller.objects.create(
            name="카오스 농장",
            representative="김모아",
            business_number="123-45-00001",
            phone="02-123-4567",
            email="help@farm.example",
            address="서울시 중구 모아로 1",
        )
        seller.staff.add(user)
        made = [make_product(seller, user, number) for number in range(products + 1)]
        for product in made[1:]:
            subscribe(product, subscribers)
        facts = {
            "token": AuthToken.objects.create(user)[1],
            "bought": made[0].pk,
            "price": made[0].price,
            "told": [product.pk for product in made[1:]],
            "today": today().isoformat(),
        }
        self.stdout.write(json.dumps(facts))


def make_product(seller: Seller, user: User, number: int) -> Product:
    """A product on sale, its first terms in force."""
    product = Product.objects.create(seller=seller, name=f"우유 {number}", price=9_900)
    terms = draft_terms(
        product=product, title="이용약관", body="제1조 목적\n", effective_on=today()
    )
    publish_terms(terms=terms, by=user)
    return product


def subscribe(product: Product, count: int) -> None:
    agreed = product.terms.in_force().get()
    Subscription.objects.bulk_create(
        Subscription(
            product=product,
            address=f"reader{number}.{product.pk}@example.com",
            name=f"구독자 {number}",
            agreed_terms=agreed,
        )
        for number in range(count)
    )
