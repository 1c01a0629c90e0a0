"""A request opens no socket but the database's: whoever pays, publishes or resets a password
waits for no broker and no SMTP server."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from mail import outbox
from mail.models import Message
from payment.gateways import sandbox
from payment.models import Payment
from seller.models import Product, Terms
from tests.db.mail.test_sockets import sockets  # noqa: F401
from tests.db.payment.conftest import open_one
from tests.db.seller.conftest import make_draft, subscribe
from tests.harness import mailers
from tests.unit.mail.mails import RECEIPT, receipt

pytestmark = pytest.mark.usefixtures("outbox_backend")


@pytest.fixture
def outbox_backend(settings) -> None:
    """As in production; the test runner puts a backend that keeps mails in memory in its place."""
    mailers.set_default(settings, mailers.OUTBOX)


@pytest.fixture
def draft(product: Product) -> Terms:
    subscribe(product)
    return make_draft(product)


def confirm(api: APIClient, product: Product) -> Any:
    payment = open_one(product)
    told = {"payment_key": "sandbox_1", "amount": payment.amount}
    return api.post(f"/api/payments/{payment.pk}/confirm/", told)


def webhook(_: APIClient, product: Product) -> Any:
    payment = open_one(product)
    headers, body = sandbox.signed_event(
        order_number=payment.order_number, payment_key="sandbox_1", amount=payment.amount
    )
    return Client().post(
        "/api/payments/webhooks/sandbox/",
        body,
        content_type="application/json",
        headers=headers,
    )


def open_payment(api: APIClient, product: Product) -> Any:
    buyer = {"address": "buyer@example.com", "name": "홍길동"}
    return api.post(
        "/api/payments/", {"product": product.pk, "buyer": buyer, "amount": product.price}
    )


def publish_in_the_api(api: APIClient, product: Product) -> Any:
    return api.post(f"/api/terms/{product.terms.latest('pk').pk}/publish/")


def publish_in_the_admin(_: APIClient, product: Product) -> Any:
    browser = Client()
    browser.force_login(User.objects.get(username="staff"))
    page = reverse("admin:seller_terms_publish", args=[product.terms.latest("pk").pk])
    return browser.post(page)


def reset_password(_: APIClient, product: Product) -> Any:
    User.objects.filter(username="staff").update(email="staff@example.com")
    staff = User.objects.get(username="staff")
    staff.set_password("secret")
    staff.save()
    return Client().post("/admin/password_reset/", {"email": staff.email})


def steer(how: str) -> Callable[[APIClient, Product], Any]:
    def request(api: APIClient, product: Product) -> Any:
        message = outbox.send(receipt(), kind=RECEIPT)
        api.force_authenticate(User.objects.create_superuser("root"))
        return api.post(f"/api/messages/{message.pk}/{how}/")

    return request


REQUESTS = {
    "confirm a payment": (confirm, 200),
    "webhook of the provider": (webhook, 200),
    "open a payment": (open_payment, 201),
    "publish in the API": (publish_in_the_api, 202),
    "publish in the admin": (publish_in_the_admin, 302),
    "reset a password": (reset_password, 302),
    "pause": (steer("pause"), 202),
    "resume": (steer("resume"), 202),
    "cancel": (steer("cancel"), 202),
    "resend": (steer("resend"), 200),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_opens_no_socket(
    name: str,
    api: APIClient,
    product: Product,
    draft: Terms,
    sockets: list,  # noqa: F811
):
    request, status = REQUESTS[name]

    answer = request(api, product)

    assert answer.status_code == status, answer.content
    assert sockets == []
    if name != "open a payment":
        assert Message.objects.count() == 1


def test_the_watch_sees_a_request_that_publishes(
    api: APIClient,
    ready: Payment,
    monkeypatch: pytest.MonkeyPatch,
    sockets: list,  # noqa: F811
):
    """Conversely: with a publish after the receipt, the tests above would fail."""
    from kombu import Connection

    from payment import services

    record = outbox.send

    def record_and_publish(*given: Any, **facts: Any) -> Message:
        message = record(*given, **facts)
        with pytest.raises(ConnectionRefusedError):
            Connection("amqp://127.0.0.1:1//").connect()
        return message

    monkeypatch.setattr(services.outbox, "send", record_and_publish)

    api.post(
        f"/api/payments/{ready.pk}/confirm/",
        {"payment_key": "sandbox_1", "amount": ready.amount},
    )

    assert ("socket.connect", ("127.0.0.1", 1)) in sockets
