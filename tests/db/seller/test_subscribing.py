"""Who subscribes, under which terms, and when it ends."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from time_machine import TimeMachineFixture

from mail import audiences
from mail.content.addresses import InvalidAddress
from seller import services
from seller.models import Product, Seller, Subscription, Terms
from tests.db.seller.conftest import in_days, make_draft, subscribe


def test_a_subscription_keeps_the_version_agreed_to(product: Product) -> None:
    subscription = services.subscribe(product=product, address="Kim@Example.COM", name="김구독")

    subscription.refresh_from_db()
    assert subscription.agreed_terms == product.terms.get()
    assert subscription.shown_terms is None
    assert (subscription.address, subscription.name) == ("Kim@example.com", "김구독")
    assert subscription.is_active


def test_a_subscription_keeps_the_coming_version_that_was_shown(draft: Terms, admin: User) -> None:
    services.publish_terms(terms=draft, by=admin)

    subscription = subscribe(draft.product)

    assert subscription.agreed_terms.version == 1
    assert subscription.shown_terms == draft


def test_a_draft_is_neither_agreed_to_nor_shown(draft: Terms) -> None:
    subscription = subscribe(draft.product)

    assert subscription.agreed_terms.version == 1
    assert subscription.shown_terms is None


def test_subscribing_again_returns_the_active_subscription(product: Product) -> None:
    first = subscribe(product)

    again = services.subscribe(product=product, address="user1@EXAMPLE.com", name="딴 이름")

    assert again == first
    assert Subscription.objects.get().name == "구독자 1"


def test_who_comes_back_gets_a_subscription_of_its_own(product: Product) -> None:
    first = services.end_subscription(subscription=subscribe(product))

    again = subscribe(product)

    assert again != first
    assert Subscription.objects.count() == 2


def test_a_product_without_terms_in_force_is_not_on_sale(seller: Seller) -> None:
    product = Product.objects.create(seller=seller, name="새 상품", price=1)
    make_draft(product)

    with pytest.raises(services.NotOnSale):
        subscribe(product)


def test_an_address_or_name_that_no_mail_can_carry_is_refused(product: Product) -> None:
    with pytest.raises(InvalidAddress):
        services.subscribe(product=product, address="kim", name="김")
    for name in ("김\r\nBcc: a@b.kr", "\u202egnp.exe", "김\ue000name\ue001", "가" * 101, ""):
        with pytest.raises(ValidationError):
            services.subscribe(product=product, address="kim@example.com", name=name)

    assert not Subscription.objects.exists()


def test_a_subscription_ends_once_and_stays(product: Product) -> None:
    subscription = services.end_subscription(subscription=subscribe(product))
    ended_at = subscription.ended_at

    services.end_subscription(subscription=subscription)

    assert subscription.ended_at == ended_at
    assert Subscription.objects.get().ended_at == ended_at


def test_who_subscribes_in_a_transaction_that_fails_has_not_subscribed(product: Product) -> None:
    @transaction.atomic
    def subscribe_and_fail() -> None:
        subscribe(product)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        subscribe_and_fail()

    assert not Subscription.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_audience_is_who_was_subscribed_at_the_moment(
    draft: Terms, make_product: Callable[..., Product]
) -> None:
    """I8: who joins after the moment of sending is not told, who left before is not."""
    product = draft.product
    stayed, left_before, left_after = (subscribe(product, number) for number in (1, 2, 3))
    services.end_subscription(subscription=left_before)
    subscribe(make_product(product.seller, name="빵"), 4)
    Subscription.objects.update(started_at=timezone.now() - timedelta(days=2))
    moment = timezone.now() - timedelta(days=1)
    Subscription.objects.filter(pk=left_before.pk).update(ended_at=moment - timedelta(seconds=1))
    services.end_subscription(subscription=left_after)
    subscribe(product, 5)

    told = audiences.recipients("seller.subscribers", {"terms": draft.pk}, moment)

    assert list(told.values_list("pk", "address", "name")) == [
        (stayed.pk, "user1@example.com", "구독자 1"),
        (left_after.pk, "user3@example.com", "구독자 3"),
    ]


def test_a_version_that_is_due_tomorrow_is_agreed_to_tomorrow(
    product: Product, admin: User, time_machine: TimeMachineFixture
) -> None:
    coming = make_draft(product, effective_on=in_days(7))
    services.publish_terms(terms=coming, by=admin)
    time_machine.move_to(timezone.now() + timedelta(days=7))

    subscription = subscribe(product)

    assert subscription.agreed_terms == coming
    assert subscription.shown_terms is None
