"""`manage.py make_chaos_shop`: a seller, one product to buy, and some whose terms change."""

import json
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.db import transaction
from knox.models import AuthToken

from seller.calendar import today
from tests.harness.shop import make_product, make_seller, subscribe_many


class Command(BaseCommand):
    help = "Make the shop that the load buys from; prints ids and an API token as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--products", type=int, default=4)
        parser.add_argument("--subscribers", type=int, default=300, help="Of each product.")

    @transaction.atomic
    def handle(self, *args: Any, products: int, subscribers: int, **options: Any) -> None:
        user = User.objects.create_superuser("chaos", "chaos@moa.example")
        seller = make_seller()
        seller.staff.add(user)
        made = [
            make_product(seller=seller, name=f"우유 {number}") for number in range(products + 1)
        ]
        for product in made[1:]:
            subscribe_many(product, subscribers, prefix=f"reader{product.pk}.")
        facts = {
            "token": AuthToken.objects.create(user)[1],
            "bought": made[0].pk,
            "price": made[0].price,
            "told": [product.pk for product in made[1:]],
            "today": today().isoformat(),
        }
        self.stdout.write(json.dumps(facts))
