"""Every error of the API is a problem with a stable code."""

import json
from typing import Any

import pytest
from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.http import Http404
from django.test import RequestFactory
from pytest_django import Settings
from rest_framework import exceptions, serializers
from rest_framework.test import APIClient

from mail import outbox
from mail.content import builder
from mail.operations import resend_filter
from moa import api
from payment.gateways import Declined, GatewayUnavailable, InvalidSignature
from payment.services import AmountMismatch, NotPayable, OrderConflict
from seller.publishing import (
    AlreadyPublished,
    BroadcastUnfinished,
    NoticeTooShort,
    OutOfOrder,
    ReasonMissing,
)
from seller.services import NotOnSale
from tests.db.mail.rows import make_user, record_mail


@pytest.fixture
def client(db: None) -> APIClient:
    client = APIClient(headers={"accept-language": "en"})
    client.force_authenticate(make_user("operator", "view_message", "change_message"))
    return client


class PersonSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    tags = serializers.ListField(child=serializers.IntegerField())


class OrderSerializer(serializers.Serializer[Any]):
    people = PersonSerializer(many=True)

    def validate(self, attrs: Any) -> Any:
        raise serializers.ValidationError("too many", code="crowded")


def refusal(data: Any) -> exceptions.ValidationError:
    with pytest.raises(exceptions.ValidationError) as refused:
        OrderSerializer(data=data).is_valid(raise_exception=True)
    return refused.value


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Http404(), 404, "not_found"),
        (PermissionDenied(), 403, "permission_denied"),
        (exceptions.NotAuthenticated(), 401, "not_authenticated"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (exceptions.UnsupportedMediaType("text/plain"), 415, "unsupported_media_type"),
        (exceptions.Throttled(wait=9), 429, "throttled"),
        (exceptions.ParseError(), 400, "parse_error"),
        (SuspiciousOperation("odd"), 400, "bad_request"),
        (builder.InvalidMail("to: nobody"), 400, "invalid_mail"),
        (outbox.KeyConflict("key 'x' belongs to another mail"), 409, "key_conflict"),
        (outbox.NotResumable("it is cancelled"), 409, "not_resumable"),
        (AlreadyPublished("it is"), 409, "already_published"),
        (BroadcastUnfinished("wait"), 409, "broadcast_unfinished"),
        (OutOfOrder("too late"), 409, "out_of_order"),
        (NotOnSale("no terms"), 409, "not_on_sale"),
        (Declined("card_declined", "no"), 409, "declined"),
        (GatewayUnavailable("away"), 503, "gateway_unavailable"),
        (InvalidSignature("forged"), 400, "invalid_signature"),
        (NotPayable("paid"), 409, "not_payable"),
        (OrderConflict("another order"), 409, "order_conflict"),
        (RequestDataTooBig("long"), 413, "too_large"),
        (exceptions.APIException("busy", code="gateway_busy"), 500, "gateway_busy"),
    ],
)
def test_an_error_is_a_problem_with_its_status_and_code(error: Exception, status: int, code: str):
    response = api.problem(error, {})

    assert response is not None
    assert (response.status_code, response.content_type) == (status, "application/problem+json")
    assert (response.data["status"], response.data["code"]) == (status, code)
    assert response.data["type"] == "about:blank"
    assert response.data["title"]
    assert response.data["detail"]
    assert response.data["errors"] == []


@pytest.mark.parametrize(
    ("error", "leaves"),
    [
        (refusal({}), [("people", "required")]),
        (
            refusal({"people": [{"name": "Kim", "tags": [1]}, {"tags": [1, "x"]}]}),
            [("people.1.name", "required"), ("people.1.tags.1", "invalid")],
        ),
        (refusal({"people": []}), [("", "crowded")]),
        (exceptions.ValidationError([{}, {"name": ["no"]}]), [("1.name", "invalid")]),
        (resend_filter.InvalidFilter("limit", "too many"), [("limit", "invalid_filter")]),
        (NoticeTooShort("later"), [("effective_on", "notice_too_short")]),
        (ReasonMissing("why?"), [("reason", "reason_missing")]),
        (AmountMismatch("no"), [("amount", "amount_mismatch")]),
        (ValidationError({"title": ["long"]}, code="x"), [("title", "invalid")]),
        (ValidationError("no", code="refused"), [("", "refused")]),
        (exceptions.ValidationError({"detail": ["no"]}), [("detail", "invalid")]),
        (exceptions.ValidationError(["a", "b"]), [("", "invalid"), ("", "invalid")]),
    ],
)
def test_invalid_values_are_listed_with_the_path_to_each(
    error: Exception, leaves: list[tuple[str, str]]
):
    response = api.problem(error, {})

    assert response is not None
    assert (response.status_code, response.data["code"]) == (400, "invalid")
    assert [(one["path"], one["code"]) for one in response.data["errors"]] == leaves


def test_a_fault_of_the_server_is_left_to_django():
    assert api.problem(RuntimeError(), {}) is None


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (nested(51), 400, "json_too_deep"),
        (nested(100_000), 400, "json_too_deep"),
        ('{"a":' * 60 + "1" + "}" * 60, 400, "json_too_deep"),
        ('{"code": "a\\u0000b"}', 400, "null_character"),
        ('{"\\u0000": 1}', 400, "null_character"),
        ('{"code": "\\ud800"}', 400, "lone_surrogate"),
        ('{"limit": 1e999}', 400, "number_too_large"),
        ('{"limit": NaN}', 400, "parse_error"),
        ('{"limit": ' + "9" * 5000 + "}", 400, "parse_error"),
        ("{", 400, "parse_error"),
        (b'{"code": "\xff"}', 400, "parse_error"),
        ("﻿{}", 400, "parse_error"),
        ('"' + "x" * 2_700_000 + '"', 413, "too_large"),
        (nested(50), 400, "invalid"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_json_that_means_harm_is_refused(client: APIClient, body: Any, status: int, code: str):
    message = record_mail("a@example.com")

    response = client.post(
        f"/api/messages/{message.pk}/resend/", body, content_type="application/json"
    )

    assert (response.status_code, response.json()["code"]) == (status, code)


@pytest.mark.parametrize("charset", ["zlib", "utf-16", "nonsense", "rot13"])
def test_a_charset_changes_nothing(client: APIClient, charset: str):
    message = record_mail("a@example.com")

    response = client.generic(
        "POST",
        f"/api/messages/{message.pk}/resend/",
        "{}",
        content_type=f"application/json; charset={charset}",
    )

    assert response.status_code == 200


@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "text/xml"])
def test_what_is_no_json_is_unsupported(client: APIClient, media_type: str):
    message = record_mail("a@example.com")

    response = client.post(f"/api/messages/{message.pk}/resend/", "a=b", content_type=media_type)

    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("path", ["/api/", "/api/nothing/", "/api/messages", "/api/messages/1"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
@pytest.mark.parametrize("debug", [True, False])
def test_a_path_under_api_that_is_none_is_a_problem(
    client: APIClient, settings: Settings, path: str, method: str, debug: bool
):
    settings.DEBUG = debug

    response = getattr(client, method)(path)

    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "not_found"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("handler", "error", "status", "code"),
    [
        (api.bad_request, [SuspiciousOperation()], 400, "bad_request"),
        (api.not_found, [Http404()], 404, "not_found"),
        (api.server_error, [], 500, "server_error"),
    ],
)
def test_djangos_own_errors_are_problems_under_api_only(
    rf: RequestFactory, handler: Any, error: list[Exception], status: int, code: str
):
    under_api = handler(rf.get("/api/messages/"), *error)
    elsewhere = handler(rf.get("/admin/"), *error)

    assert (under_api.status_code, json.loads(under_api.content)["code"]) == (status, code)
    assert elsewhere.status_code == status
    assert elsewhere["Content-Type"].startswith("text/html")


def test_a_crash_under_api_is_answered_with_a_problem(
    client: APIClient, monkeypatch: pytest.MonkeyPatch
):
    def crash(_user: Any) -> Any:
        raise RuntimeError

    client.raise_request_exception = False
    monkeypatch.setattr("mail.operations.access.visible_to", crash)

    response = client.get("/api/messages/")

    assert (response.status_code, response.json()["code"]) == (500, "server_error")


def test_a_host_that_is_not_ours_is_a_bad_request(client: APIClient, settings: Settings):
    settings.ALLOWED_HOSTS = ["shop.example"]

    response = client.get("/api/messages/", headers={"host": "evil.example"})

    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
