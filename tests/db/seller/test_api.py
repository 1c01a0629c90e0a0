"""The API: products and terms of one's own sellers, and refusals with a stable code."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from mail.models import Message
from mail.operations import access
from seller import services
from seller.models import Product, Seller, Terms
from tests.db.seller.conftest import NEW_BODY, in_days, make_draft, subscribe


def client_of(user: User | None) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def api(staff: User) -> APIClient:
    return client_of(staff)


def test_the_products_of_ones_sellers_are_listed(
    api: APIClient, product: Product, other_seller: Seller, make_product: Any
) -> None:
    make_product(other_seller, name="남의 상품")

    [listed] = api.get("/api/products/").json()["results"]

    assert listed == {
        "id": product.pk,
        "seller": product.seller_id,
        "name": "아침 우유",
        "description": "",
        "price": 9_900,
        "period_days": 30,
        "is_active": True,
    }


def test_a_product_is_offered_for_ones_own_seller(
    api: APIClient, seller: Seller, other_seller: Seller
) -> None:
    offered = api.post("/api/products/", {"seller": seller.pk, "name": "빵", "price": 5_000})
    refused = api.post("/api/products/", {"seller": other_seller.pk, "name": "빵", "price": 5_000})

    assert offered.status_code == 201
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["path"] == "seller"
    assert [product.seller for product in Product.objects.all()] == [seller]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", 0),
        ("price", 9_900.5),
        ("price", 100_000_001),
        ("period_days", 0),
        ("name", "빵\r\nBcc: a@b.kr"),
        ("name", "\ue000name\ue001"),
        ("description", "\u001b"),
    ],
)
def test_a_product_that_cannot_be_sold_is_refused(
    api: APIClient, seller: Seller, field: str, value: Any
) -> None:
    answer = api.post(
        "/api/products/", {"seller": seller.pk, "name": "빵", "price": 5_000, field: value}
    )

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"] == field


def test_a_draft_is_written_and_read(api: APIClient, product: Product) -> None:
    draft = {
        "title": "이용약관",
        "body": NEW_BODY.strip(),
        "reason": "요금 변경",
        "effective_on": in_days(30).isoformat(),
        "is_unfavourable": True,
    }

    answer = api.post(f"/api/products/{product.pk}/terms/", draft | {"version": 9, "state": "x"})

    assert answer.status_code == 201
    terms = Terms.objects.drafts().get()
    written = api.get(f"/api/terms/{terms.pk}/").json()
    assert written == answer.json()
    assert written == draft | {
        "id": terms.pk,
        "product": product.pk,
        "version": 2,
        "state": "draft",
        "sha256": terms.sha256,
        "published_at": None,
        "override_reason": "",
        "message": None,
    }
    listed = api.get(f"/api/products/{product.pk}/terms/").json()["results"]
    assert [one["version"] for one in listed] == [2, 1]


def test_a_draft_that_no_mail_can_carry_is_refused(api: APIClient, product: Product) -> None:
    answer = api.post(
        f"/api/products/{product.pk}/terms/",
        {"title": "약관", "body": "\ue000name\ue001", "effective_on": in_days(7).isoformat()},
    )

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "unsendable"


def test_the_preview_shows_the_notice_and_how_many_get_it(api: APIClient, draft: Terms) -> None:
    subscribe(draft.product, 1)
    services.end_subscription(subscription=subscribe(draft.product, 2))

    preview = api.get(f"/api/terms/{draft.pk}/preview/").json()

    assert preview["recipients"] == 1
    assert preview["subject"].startswith("[모아 농장] 아침 우유 약관 변경 안내")
    assert preview["text"].startswith("{name}님, 안녕하세요.")
    assert "<ins" in preview["html"]
    assert not Message.objects.exists()


def test_a_first_version_has_no_notice_to_preview(api: APIClient, product: Product) -> None:
    preview = api.get(f"/api/terms/{product.terms.get().pk}/preview/").json()

    assert preview == {"subject": None, "text": None, "html": None, "recipients": 0}


def test_publishing_answers_with_the_broadcast(api: APIClient, draft: Terms) -> None:
    answer = api.post(f"/api/terms/{draft.pk}/publish/")

    assert answer.status_code == 202
    message = Message.objects.get()
    assert answer.json() == {
        "terms": draft.pk,
        "message": f"http://testserver/api/messages/{message.pk}/",
    }
    assert api.get(answer.json()["message"]).status_code == 200
    assert api.get(f"/api/terms/{draft.pk}/").json()["state"] == "published"
    sent = api.get(f"/api/terms/{draft.pk}/preview/").json()
    assert (sent["subject"], sent["html"]) == (message.subject, message.html)


def test_publishing_a_first_version_answers_without_a_broadcast(
    api: APIClient, seller: Seller
) -> None:
    product = Product.objects.create(seller=seller, name="빵", price=1)
    first = make_draft(product, effective_on=in_days(0))

    answer = api.post(f"/api/terms/{first.pk}/publish/")

    assert (answer.status_code, answer.json()) == (202, {"terms": first.pk, "message": None})


def test_publishing_twice_is_a_conflict(api: APIClient, draft: Terms) -> None:
    api.post(f"/api/terms/{draft.pk}/publish/")

    again = api.post(f"/api/terms/{draft.pk}/publish/")

    assert (again.status_code, again.json()["code"]) == (409, "already_published")
    assert Message.objects.count() == 1


def test_publishing_while_people_are_being_told_is_a_conflict(
    api: APIClient, draft: Terms
) -> None:
    following = make_draft(draft.product, effective_on=in_days(8))
    api.post(f"/api/terms/{draft.pk}/publish/")

    answer = api.post(f"/api/terms/{following.pk}/publish/")

    assert (answer.status_code, answer.json()["code"]) == (409, "broadcast_unfinished")


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"effective_on": 6}, "effective_on", "notice_too_short"),
        ({"reason": " "}, "reason", "reason_missing"),
    ],
)
def test_what_can_be_mended_is_named(
    api: APIClient, product: Product, fields: dict[str, Any], path: str, code: str
) -> None:
    if "effective_on" in fields:
        fields = {"effective_on": in_days(fields["effective_on"])}
    draft = make_draft(product, **fields)

    answer = api.post(f"/api/terms/{draft.pk}/publish/")

    assert answer.status_code == 400
    assert [(one["path"], one["code"]) for one in answer.json()["errors"]] == [(path, code)]


def test_a_shorter_notice_is_given_by_right_only(
    api: APIClient, product: Product, admin: User
) -> None:
    draft = make_draft(product, effective_on=in_days(1))
    reason = {"override_reason": "법원 명령"}

    by_staff = api.post(f"/api/terms/{draft.pk}/publish/", reason)
    by_admin = client_of(admin).post(f"/api/terms/{draft.pk}/publish/", reason)

    assert (by_staff.status_code, by_admin.status_code) == (400, 202)
    assert Terms.objects.get(pk=draft.pk).override_reason == "법원 명령"


ROUTES = [
    ("get", "/api/products/{product}/terms/"),
    ("post", "/api/products/{product}/terms/"),
    ("get", "/api/terms/{terms}/"),
    ("get", "/api/terms/{terms}/preview/"),
    ("post", "/api/terms/{terms}/publish/"),
]
DRAFT = {"title": "약관", "body": "제1조", "effective_on": "2030-01-01"}


@pytest.mark.parametrize(("method", "route"), ROUTES)
@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("staff", {200, 201, 202}),
        ("admin", {200, 201, 202}),
        ("stranger", {404}),
        ("nobody", {404}),
    ],
)
def test_what_belongs_to_another_seller_is_not_found(
    draft: Terms,
    admin: User,
    other_seller: Seller,
    method: str,
    route: str,
    who: str,
    expected: Any,
) -> None:
    User.objects.create_user("nobody")
    client = client_of(User.objects.get(username=who))
    url = route.format(product=draft.product_id, terms=draft.pk)

    answer = getattr(client, method)(url, DRAFT if url.endswith("/terms/") else None)

    assert answer.status_code in expected
    if expected == {404}:
        assert (Terms.objects.count(), Message.objects.count()) == (2, 0)


@pytest.mark.parametrize(("method", "route"), [("get", "/api/products/"), *ROUTES])
def test_nobody_is_let_in_without_a_name(draft: Terms, method: str, route: str) -> None:
    url = route.format(product=draft.product_id, terms=draft.pk)

    answer = getattr(APIClient(), method)(url, {})

    assert answer.status_code == 401


@pytest.mark.parametrize("pk", [0, 999_999, 10**30])
def test_what_is_not_there_is_not_found(api: APIClient, seller: Seller, pk: int) -> None:
    assert api.get(f"/api/terms/{pk}/").status_code == 404
    assert api.get(f"/api/products/{pk}/terms/").status_code == 404


def test_staff_sees_the_notices_of_its_sellers_and_no_others(
    draft: Terms, staff: User, admin: User, other_seller: Seller, make_product: Any
) -> None:
    mine = services.publish_terms(terms=draft, by=admin).message
    theirs = services.publish_terms(terms=make_draft(make_product(other_seller)), by=admin).message

    assert list(access.visible_to(staff)) == [mine]
    assert list(access.visible_to(other_seller.staff.get())) == [theirs]
    assert not access.visible_to(User.objects.create_user("nobody")).exists()
