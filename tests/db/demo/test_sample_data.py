import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import call_command

from demo.sample import people
from mail.content.addresses import normalise
from seller import publishing
from seller.models import Product, Seller, Subscription, Terms
from seller.services import publish_terms

pytestmark = pytest.mark.django_db


def test_there_are_shops_with_a_change_that_waits(settings):
    call_command("sample_data", subscribers=10, verbosity=0)

    assert Seller.objects.count() == 2
    assert Product.objects.count() == 3
    assert Terms.objects.in_force().count() == 3
    assert Terms.objects.drafts().count() == 3


def test_every_draft_may_be_published():
    call_command("sample_data", subscribers=0, verbosity=0)

    for draft in Terms.objects.drafts():
        published = publish_terms(terms=draft, by=draft.product.seller.staff.get())

        assert published.message is not None
        assert published.override_reason == ""
        assert published.effective_on >= publishing.earliest(draft)


def test_twice_is_as_good_as_once():
    call_command("sample_data", subscribers=200, verbosity=0)
    first = list(Subscription.objects.order_by("pk").values_list("pk", "address"))

    call_command("sample_data", subscribers=200, verbosity=0)

    assert list(Subscription.objects.order_by("pk").values_list("pk", "address")) == first
    assert Terms.objects.count() == 6


def test_more_subscribers_are_added_to_those_there_are(monkeypatch):
    monkeypatch.setattr("demo.management.commands.sample_data.PAGE", 7)
    call_command("sample_data", subscribers=10, verbosity=0)

    call_command("sample_data", subscribers=25, verbosity=0)

    for product, count in zip(Product.objects.order_by("pk"), (25, 2, 2), strict=True):
        there = product.subscriptions.order_by("pk").values_list("address", flat=True)
        assert list(there) == [people.address(number) for number in range(count)]


def test_whichever_draft_is_published_somebody_is_told():
    call_command("sample_data", verbosity=0)

    assert not Terms.objects.drafts().filter(product__subscriptions=None).exists()


def test_addresses_are_stored_in_their_one_form():
    addresses = [people.address(number) for number in range(500)]

    assert [normalise(address) for address in addresses] == addresses
    assert len(set(addresses)) == 500


def test_some_addresses_go_wrong():
    addresses = [people.address(number) for number in range(1000)]

    assert sum(address.startswith("bounce+550-5.1.1+") for address in addresses) == 20
    assert sum(address.startswith("defer+451+1+") for address in addresses) == 10


def test_known_passwords_exist_only_in_debug(settings):
    settings.DEBUG = False
    call_command("sample_data", subscribers=0, verbosity=0)

    assert not User.objects.filter(is_superuser=True).exists()
    assert not any(user.has_usable_password() for user in User.objects.all())


def test_in_debug_the_demo_users_can_log_in(settings):
    settings.DEBUG = True
    call_command("sample_data", subscribers=0, verbosity=0)

    assert authenticate(username="admin", password="admin-moa").is_superuser
    assert authenticate(username="chorok", password="chorok-moa").is_staff


def test_the_staff_of_a_seller_sees_its_own_terms_and_no_others(client):
    call_command("sample_data", subscribers=0, verbosity=0)
    client.force_login(User.objects.get(username="chaekdabang"))

    page = client.get("/admin/seller/terms/").content.decode()

    assert "월간 책 꾸러미" in page
    assert "아침 샐러드" not in page
