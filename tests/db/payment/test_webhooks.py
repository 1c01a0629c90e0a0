"""Webhooks over HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from mail.models import Message
from payment.gateways import sandbox
from payment.models import Payment, WebhookEvent

INBOX = "/api/payments/webhooks/sandbox/"


def signed(payment: Payment, **facts: Any) -> tuple[dict[str, str], bytes]:
    usual = {"order_number": payment.order_number, "payment_key": "sandbox_1", "amount": 9900}
    return sandbox.signed_event(**usual | facts)


def deliver(headers: dict[str, str], body: bytes, path: str = INBOX) -> Any:
    """As the provider would: no session, no token, no CSRF cookie."""
    return Client(enforce_csrf_checks=True).post(
        path, body, content_type="application/json", headers=headers
    )


def nothing_kept(payment: Payment) -> bool:
    payment.refresh_from_db()
    return payment.state == Payment.State.READY and not (
        WebhookEvent.objects.exists() or Message.objects.exists()
    )


def test_a_signed_event_pays(ready: Payment) -> None:
    response = deliver(*signed(ready))

    assert (response.status_code, response.json()) == (200, {"outcome": "processed"})
    ready.refresh_from_db()
    assert ready.state == Payment.State.PAID
    assert Message.objects.count() == 1


def test_delivered_twice_it_is_answered_the_same_and_done_once(ready: Payment) -> None:
    event = signed(ready)

    first, second = deliver(*event), deliver(*event)

    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert (WebhookEvent.objects.count(), Message.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda headers, body: ({}, body),
        lambda headers, body: (headers | {"webhook-signature": "v1,QUJD"}, body),
        lambda headers, body: (headers, body.replace(b"9900", b"9901")),
        lambda headers, body: (headers, body + b"\n"),
        lambda headers, body: (headers, b""),
        lambda headers, body: (headers, b"\xff\xfe"),
        lambda headers, body: (headers | {"webhook-id": "evt_other"}, body),
    ],
    ids=["unsigned", "forged", "amount", "newline", "empty", "not-utf8", "other-id"],
)
def test_what_is_not_signed_is_refused_and_not_kept(
    ready: Payment, spoil: Any, caplog: pytest.LogCaptureFixture
) -> None:
    response = deliver(*spoil(*signed(ready)))

    assert response.status_code == 400
    assert response.json()["code"] == "invalid_signature"
    assert nothing_kept(ready)
    assert len([line for line in caplog.messages if "rejected" in line]) == 1
    assert "order-1" not in caplog.text


@pytest.mark.parametrize(("seconds", "status"), [(-302, 400), (-299, 200), (302, 400), (298, 200)])
def test_the_timestamp_may_be_five_minutes_off(ready: Payment, seconds: int, status: int) -> None:
    event = signed(ready, sent_at=timezone.now() + timedelta(seconds=seconds))

    assert deliver(*event).status_code == status


def test_both_secrets_are_accepted_while_they_rotate(ready: Payment, settings: Settings) -> None:
    old, new = sandbox.DEVELOPMENT_SECRET, "whsec_" + "bmV3" * 12
    settings.PAYMENT_WEBHOOK_SECRETS = [new, old]

    for secret in (old, new):
        assert deliver(*signed(ready, secret=secret)).status_code == 200


def test_another_secret_is_refused(ready: Payment) -> None:
    event = signed(ready, secret="whsec_" + "bmV3" * 12)

    assert deliver(*event).status_code == 400
    assert nothing_kept(ready)


def test_without_a_secret_the_endpoint_refuses(ready: Payment, settings: Settings) -> None:
    event = signed(ready)
    settings.PAYMENT_WEBHOOK_SECRETS = []

    response = deliver(*event)

    assert (response.status_code, response.json()["code"]) == (503, "gateway_unavailable")
    assert nothing_kept(ready)


def test_an_unknown_type_is_answered_200_and_ignored(ready: Payment) -> None:
    response = deliver(*signed(ready, event_type="payment.blessed"))

    assert (response.status_code, response.json()) == (200, {"outcome": "ignored"})


@pytest.mark.parametrize("facts", [{"amount": 1}, {"currency": "USD"}, {"order_number": "nope"}])
def test_what_contradicts_the_books_is_answered_200_and_quarantined(
    ready: Payment, facts: dict[str, Any]
) -> None:
    response = deliver(*signed(ready, **facts))

    assert (response.status_code, response.json()) == (200, {"outcome": "quarantined"})
    assert not Message.objects.exists()


def test_first_told_days_later_it_is_processed(ready: Payment) -> None:
    """A sender that retries signs anew; how old the payment is does not matter."""
    Payment.objects.update(created_at=timezone.now() - timedelta(days=3))

    assert deliver(*signed(ready)).json() == {"outcome": "processed"}


def test_more_than_64_kb_is_refused(ready: Payment) -> None:
    headers, body = signed(ready, method="x" * 66_000)

    response = deliver(headers, body)

    assert (response.status_code, response.json()["code"]) == (413, "too_large")
    assert nothing_kept(ready)


def test_an_unknown_provider_is_not_found(ready: Payment) -> None:
    response = deliver(*signed(ready), path="/api/payments/webhooks/nopay/")

    assert response.status_code == 404


def test_the_inbox_is_not_read(db: None) -> None:
    assert Client().get(INBOX).status_code == 405


def test_trouble_here_is_a_500_so_that_the_provider_tries_again(
    ready: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = signed(ready)
    client = Client(raise_request_exception=False)

    with monkeypatch.context() as trouble:
        trouble.setattr("payment.services.subscribe", lambda **facts: 1 / 0)
        first = client.post(INBOX, event[1], "application/json", headers=event[0])
    second = deliver(*event)

    assert (first.status_code, second.status_code) == (500, 200)
    assert second.json() == {"outcome": "processed"}
