"""manage.py sample_data: two shops with terms and any number of subscribers."""

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models.functions import Now

from demo.sample import people, shops
from seller.calendar import today
from seller.models import Product, Seller, Subscription, Terms
from seller.services import draft_terms, publish_terms

PAGE = 5_000  # rows per statement; bounds the memory


class Command(BaseCommand):
    help = "Create two shops with products, terms and subscribers, unless they exist."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--subscribers",
            type=int,
            default=500,
            help="subscribers of the first product; each other one gets a tenth (default: 500)",
        )

    def handle(self, *args: Any, subscribers: int, **options: Any) -> None:
        if subscribers < 0:
            raise CommandError("--subscribers must not be negative.")
        with transaction.atomic():
            if settings.DEBUG:
                make_admin()
            products = [
                make_product(shop, product) for shop in shops.SHOPS for product in shop.products
            ]
        first, *others = products
        made = subscribe(first, subscribers)
        made += sum(subscribe(product, subscribers // 10) for product in others)
        self.stdout.write(
            f"Sample data: {len(products)} products, {made:,} new subscribers"
            + (", admin / admin-moa." if settings.DEBUG else ".")
        )


def make_admin() -> None:
    """Create the superuser with a well-known password; for DEBUG only."""
    if not User.objects.filter(username="admin").exists():
        User.objects.create_superuser("admin", "admin@moa.example", "admin-moa")


def make_product(shop: shops.Shop, sample: shops.Product) -> Product:
    """The product, with its first terms in force and a drafted change."""
    seller, staff = make_seller(shop)
    product, is_new = Product.objects.get_or_create(
        seller=seller,
        name=sample.name,
        defaults={"description": sample.description, "price": sample.price},
    )
    if is_new:
        first = draft_terms(
            product=product, title=sample.title, body=sample.body, effective_on=today()
        )
        publish_terms(terms=first, by=staff)
        draft_terms(
            product=product,
            title=sample.title,
            body=sample.change.body,
            effective_on=today() + timedelta(days=sample.change.days),
            reason=sample.change.reason,
            is_unfavourable=sample.change.is_unfavourable,
        )
    return product


def make_seller(shop: shops.Shop) -> tuple[Seller, User]:
    """The seller and a staff user, whose password with DEBUG is `NAME-moa`."""
    identity = ("name", "representative", "phone", "email", "address")
    seller, _ = Seller.objects.get_or_create(
        business_number=shop.business_number,
        defaults={name: getattr(shop, name) for name in identity},
    )
    user, is_new = User.objects.get_or_create(
        username=shop.username, defaults={"email": shop.email, "is_staff": True}
    )
    if is_new:
        user.set_password(f"{shop.username}-moa" if settings.DEBUG else None)
        user.save()
        seller.staff.add(user)
    return seller, user


def subscribe(product: Product, wanted: int) -> int:
    """Give the product `wanted` subscribers, page by page; return how many are new.

    After an interruption, the next call continues where this one stopped.
    """
    agreed = Terms.objects.filter(product=product).in_force().get()
    # The database's time as a value: rows without expressions are inserted much faster.
    now = Terms.objects.filter(pk=agreed.pk).values_list(Now(), flat=True).get()
    there = Subscription.objects.filter(product=product).count()
    candidates = (
        Subscription(
            product=product,
            address=people.address(number),
            name=people.name(number),
            agreed_terms=agreed,
            started_at=now,
        )
        for number in range(there, wanted)
    )
    for page in pages(candidates):
        Subscription.objects.bulk_create(page, ignore_conflicts=True)
    return max(wanted - there, 0)


def pages(candidates: Iterator[Subscription]) -> Iterator[list[Subscription]]:
    while page := list(islice(candidates, PAGE)):
        yield page
