"""Published terms are a record, whoever tries to change them."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from mail.content.addresses import InvalidAddress
from seller import services
from seller.models import Immutable, NoticePeriod, Product, Seller, Subscription, Terms
from tests.db.seller.conftest import in_days, make_draft, subscribe


def test_a_version_is_numbered_within_its_product(
    seller: Seller, product: Product, make_product: Any
) -> None:
    second = make_draft(product)
    third = make_draft(product)
    elsewhere = make_draft(make_product(seller, name="빵"))

    assert (second.version, third.version, elsewhere.version) == (2, 3, 2)


def test_a_draft_carries_the_digest_of_its_text(draft: Terms) -> None:
    draft.body = "제1조\r\n제2조"

    draft.save()

    draft.refresh_from_db()
    assert draft.body == "제1조\n제2조"
    assert draft.sha256 == hashlib.sha256("제1조\n제2조".encode()).hexdigest()


def test_a_published_version_is_never_saved_again(draft: Terms, admin: User) -> None:
    services.publish_terms(terms=draft, by=admin)
    draft.title = "다른 약관"

    with pytest.raises(Immutable):
        draft.save()  # the object in hand still says it is a draft

    draft.refresh_from_db()
    assert draft.title == "이용약관"


def test_a_published_version_is_never_deleted(product: Product) -> None:
    published = product.terms.get()

    with pytest.raises(Immutable):
        published.delete()
    with pytest.raises(Immutable):
        product.terms.all().delete()
    with pytest.raises(ProtectedError):
        product.delete()

    assert product.terms.count() == 1


def test_the_database_itself_refuses_to_change_a_published_version(product: Product) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        product.terms.update(body="제1조(없음)")
    with pytest.raises(IntegrityError), transaction.atomic():
        product.terms.update(published_at=None)


@pytest.mark.postgresql
def test_the_database_itself_refuses_to_delete_a_published_version(product: Product) -> None:
    with (
        pytest.raises(IntegrityError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("DELETE FROM seller_terms")


def test_a_draft_may_be_deleted(draft: Terms) -> None:
    draft.delete()

    assert not Terms.objects.drafts().exists()


def test_in_force_is_the_latest_published_version_whose_day_has_come(
    draft: Terms, admin: User
) -> None:
    first = draft.product.terms.get(version=1)
    services.publish_terms(terms=draft, by=admin)
    make_draft(draft.product, effective_on=in_days(1))  # never published

    in_force = draft.product.terms.in_force

    assert in_force().get() == first
    assert in_force(on=draft.effective_on - timedelta(days=1)).get() == first
    assert in_force(on=draft.effective_on).get() == draft
    assert draft.product.terms.upcoming().get() == draft
    assert not draft.product.terms.upcoming(on=draft.effective_on).exists()


def test_one_address_subscribes_once_at_a_time(product: Product) -> None:
    subscription = subscribe(product)

    with pytest.raises(IntegrityError), transaction.atomic():
        Subscription.objects.create(
            product=product,
            address=subscription.address,
            name="또",
            agreed_terms=product.terms.get(),
        )


def test_an_address_is_stored_in_its_one_form(product: Product) -> None:
    def create(address: str) -> Subscription:
        return Subscription.objects.create(
            product=product, address=address, name="구독자", agreed_terms=product.terms.get()
        )

    assert create(" Kim@한글.EXAMPLE ").address == "Kim@xn--bj0bj06e.example"
    with pytest.raises(InvalidAddress):
        create("kim@localhost")


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\ue000", "\ue001", "\ud800"])
def test_text_that_no_mail_can_carry_is_refused(draft: Terms, character: str) -> None:
    draft.body = f"제1조 {character}name"

    with pytest.raises(ValidationError) as refused:
        draft.full_clean()

    assert refused.value.error_dict["body"][0].code == "unsendable"


@pytest.mark.parametrize("character", ["\n", "\r", "\t", "\u2028", "\u202e", "\u2066", "\ue000"])
@pytest.mark.parametrize("field", ["name", "representative", "phone", "address"])
def test_what_stands_in_a_line_reads_as_it_is_written(
    seller: Seller, field: str, character: str
) -> None:
    setattr(seller, field, f"모아{character}농장")

    with pytest.raises(ValidationError) as refused:
        seller.full_clean()

    assert set(refused.value.error_dict) == {field}


@pytest.mark.django_db(transaction=True)
def test_periods_of_notice_come_back_when_the_tables_are_emptied() -> None:
    NoticePeriod.objects.filter(pk="ordinary").update(days=14)

    call_command("migrate", verbosity=0)

    assert NoticePeriod.objects.get(pk="ordinary").days == 14
    call_command("flush", interactive=False, verbosity=0)
    assert dict(NoticePeriod.objects.values_list("pk", "days")) == {
        "ordinary": 7,
        "unfavourable": 30,
    }
