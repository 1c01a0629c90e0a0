"""The HTTP interface of payments."""

import socket
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from mail.models import Message
from payment.gateways import GatewayUnavailable, sandbox
from payment.models import Payment
from seller.models import Product
from tests.db.payment.conftest import KEY

PAYMENTS = "/api/payments/"
Order = dict[str, Any]


@pytest.fixture
def order(product: Product) -> Order:
    return {
        "product": product.pk,
        "buyer": {"address": "buyer@example.com", "name": "홍길동"},
        "amount": 9900,
        "order_number": "order-1",
    }


def confirmation(**facts: Any) -> dict[str, Any]:
    return {"payment_key": KEY, "amount": 9900} | facts


def code_of(response: Any) -> tuple[int, str]:
    assert response["Content-Type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


def field_code_of(response: Any) -> tuple[int, str, str]:
    (error,) = response.json()["errors"]
    return response.status_code, error["path"], error["code"]


def test_an_order_opens_a_payment(api: APIClient, order: Order) -> None:
    response = api.post(PAYMENTS, order)

    payment = Payment.objects.get()
    assert response.status_code == 201
    assert response["Location"] == f"http://testserver{PAYMENTS}{payment.pk}/"
    shown = response.json()
    assert (shown["id"], shown["state"], shown["order_number"]) == (payment.pk, "ready", "order-1")
    assert (shown["supply_amount"], shown["vat_amount"]) == (9000, 900)
    assert shown["buyer"] == order["buyer"]
    assert shown["receipt"] is None


def test_the_same_order_again_is_answered_200(api: APIClient, order: Order) -> None:
    first = api.post(PAYMENTS, order)
    second = api.post(PAYMENTS, order)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


def test_an_order_number_may_be_left_out(api: APIClient, order: Order) -> None:
    del order["order_number"]

    response = api.post(PAYMENTS, order)

    assert response.status_code == 201
    assert response.json()["order_number"]


def test_another_order_of_this_number_is_a_conflict(api: APIClient, order: Order) -> None:
    api.post(PAYMENTS, order)

    response = api.post(PAYMENTS, order | {"buyer": {"address": "x@example.com", "name": "가"}})

    assert code_of(response) == (409, "order_conflict")


def test_an_order_number_of_another_seller_tells_nothing_of_it(
    api: APIClient, order: Order, ready: Payment, stranger: User, other_product: Product
) -> None:
    api.force_authenticate(stranger)

    response = api.post(PAYMENTS, order | {"product": other_product.pk})

    assert code_of(response) == (409, "order_conflict")
    assert ready.buyer_address not in response.content.decode()


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        ({"amount": 9899}, "amount", "amount_mismatch"),
        ({"amount": 0}, "amount", "min_value"),
        ({"amount": -9900}, "amount", "min_value"),
        ({"amount": 0.001}, "amount", "invalid"),
        ({"amount": 10**30}, "amount", "amount_mismatch"),
        ({"amount": None}, "amount", "null"),
        ({"product": 0}, "product", "does_not_exist"),
        ({"product": 10**30}, "product", "does_not_exist"),
        ({"product": True}, "product", "incorrect_type"),
        ({"order_number": "주문"}, "order_number", "invalid"),
        ({"order_number": ""}, "order_number", "blank"),
        ({"order_number": "x" * 65}, "order_number", "max_length"),
        ({"order_number": "a\nb"}, "order_number", "invalid"),
        ({"state": "paid"}, "state", "unknown_field"),
        ({"currency": "USD"}, "currency", "unknown_field"),
        ({"buyer": None}, "buyer", "null"),
        ({"buyer": {"address": "buyer@example.com"}}, "buyer.name", "required"),
        ({"buyer": {"address": "a@b", "name": "가"}}, "buyer.address", "address"),
        ({"buyer": {"address": "a@b.kr, c@d.kr", "name": "가"}}, "buyer.address", "address"),
        (
            {"buyer": {"address": "a@b.kr", "name": "가\r\nBcc: c@d.kr"}},
            "buyer.name",
            "not_one_line",
        ),
        ({"buyer": {"address": "a@b.kr", "name": "\u202e가"}}, "buyer.name", "not_one_line"),
        ({"buyer": {"address": "a@b.kr", "name": "가", "x": 1}}, "buyer.x", "unknown_field"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(
    api: APIClient, order: Order, change: Order, path: str, code: str
) -> None:
    response = api.post(PAYMENTS, order | change)

    assert field_code_of(response) == (400, path, code)
    assert not Payment.objects.exists()


@pytest.mark.parametrize("body", [[], "order", None, 5])
def test_an_order_that_is_no_object_is_refused(api: APIClient, body: Any) -> None:
    assert api.post(PAYMENTS, body).status_code == 400


def test_what_is_not_on_sale_is_not_sold(api: APIClient, order: Order, product: Product) -> None:
    Product.objects.update(is_active=False)

    assert code_of(api.post(PAYMENTS, order)) == (409, "not_on_sale")


def test_a_confirmation_answers_with_the_receipt(api: APIClient, ready: Payment) -> None:
    response = api.post(f"{PAYMENTS}{ready.pk}/confirm/", confirmation())

    message = Message.objects.get()
    assert response.status_code == 200
    assert response.json()["state"] == "paid"
    assert response.json()["receipt"] == {
        "message": f"http://testserver/api/messages/{message.pk}/",
        "state": "queued",
    }


def test_a_confirmation_again_is_answered_the_same(api: APIClient, ready: Payment) -> None:
    first = api.post(f"{PAYMENTS}{ready.pk}/confirm/", confirmation())
    second = api.post(f"{PAYMENTS}{ready.pk}/confirm/", confirmation())

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert Message.objects.count() == 1


def test_a_payment_is_shown_with_how_far_its_receipt_got(api: APIClient, paid: Payment) -> None:
    Message.objects.update(queued=0, failed=1)

    shown = api.get(f"{PAYMENTS}{paid.pk}/").json()

    assert (shown["state"], shown["receipt"]["state"]) == ("paid", "failed")


def test_a_refusal_is_answered_declined(api: APIClient, ready: Payment) -> None:
    path = f"{PAYMENTS}{ready.pk}/confirm/"

    first = api.post(path, confirmation(payment_key="sandbox_declined"))
    second = api.post(path, confirmation(payment_key="sandbox_declined"))

    assert code_of(first) == code_of(second) == (409, "declined")
    assert first.json()["detail"] == "카드사가 결제를 거절했습니다."


def test_an_absent_provider_is_answered_503(
    api: APIClient, ready: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(self: object, **facts: Any) -> None:
        raise GatewayUnavailable("the provider does not answer")

    monkeypatch.setattr(sandbox.Sandbox, "confirm", absent)

    response = api.post(f"{PAYMENTS}{ready.pk}/confirm/", confirmation())

    assert code_of(response) == (503, "gateway_unavailable")


def test_what_another_key_paid_is_not_payable(api: APIClient, paid: Payment) -> None:
    response = api.post(f"{PAYMENTS}{paid.pk}/confirm/", confirmation(payment_key="sandbox_2"))

    assert code_of(response) == (409, "not_payable")


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        ({"amount": 9899}, "amount", "amount_mismatch"),
        ({"amount": 0}, "amount", "min_value"),
        ({"payment_key": ""}, "payment_key", "blank"),
        ({"payment_key": "sandbox_\u00e9"}, "payment_key", "invalid"),
        ({"payment_key": "sandbox_" + "x" * 193}, "payment_key", "max_length"),
        ({"state": "paid"}, "state", "unknown_field"),
    ],
)
def test_a_confirmation_that_makes_no_sense_is_refused(
    api: APIClient, ready: Payment, change: Order, path: str, code: str
) -> None:
    response = api.post(f"{PAYMENTS}{ready.pk}/confirm/", confirmation(**change))

    assert field_code_of(response) == (400, path, code)
    assert not Message.objects.exists()


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_a_payment_is_not_changed_by_hand(api: APIClient, paid: Payment, method: str) -> None:
    assert getattr(api, method)(f"{PAYMENTS}{paid.pk}/", {}).status_code == 405


@pytest.mark.parametrize(("method", "path"), [("get", ""), ("post", "confirm/")])
def test_strangers_find_no_payment(
    api: APIClient, ready: Payment, stranger: User, method: str, path: str
) -> None:
    api.force_authenticate(stranger)

    response = getattr(api, method)(f"{PAYMENTS}{ready.pk}/{path}", confirmation())
    unknown = getattr(api, method)(f"{PAYMENTS}999999999/{path}", confirmation())

    assert response.status_code == unknown.status_code == 404
    assert response.json() == unknown.json()
    ready.refresh_from_db()
    assert ready.state == Payment.State.READY


def test_strangers_find_no_product(api: APIClient, order: Order, stranger: User) -> None:
    api.force_authenticate(stranger)

    response = api.post(PAYMENTS, order)
    unknown = api.post(PAYMENTS, order | {"product": 999_999_999})

    assert field_code_of(response) == (400, "product", "does_not_exist")
    assert field_code_of(unknown) == (400, "product", "does_not_exist")


def test_a_superuser_acts_for_every_seller(api: APIClient, order: Order, ready: Payment) -> None:
    api.force_authenticate(User.objects.create_superuser("root"))

    assert api.get(f"{PAYMENTS}{ready.pk}/").status_code == 200
    assert api.post(PAYMENTS, order).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("post", ""), ("get", "1/"), ("post", "1/confirm/")])
def test_nobody_is_let_in_without_a_name(db: None, method: str, path: str) -> None:
    response = getattr(APIClient(), method)(f"{PAYMENTS}{path}", {})

    assert response.status_code == 401


def test_a_confirmation_takes_a_constant_number_of_statements(
    api: APIClient, ready: Payment
) -> None:
    with CaptureQueriesContext(connection) as statements:
        response = api.post(f"{PAYMENTS}{ready.pk}/confirm/", confirmation())

    assert response.status_code == 200
    assert len(statements) <= 15  # 4 of them begin and release the savepoints of two inserts


def test_a_confirmation_opens_no_socket(
    api: APIClient, ready: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No broker and no SMTP server in a request. Database drivers connect below Python's sockets."""

    def refuse(self: socket.socket, address: object) -> None:
        raise AssertionError(f"a socket to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)

    response = api.post(f"{PAYMENTS}{ready.pk}/confirm/", confirmation())

    assert response.status_code == 200
    assert Message.objects.count() == 1
