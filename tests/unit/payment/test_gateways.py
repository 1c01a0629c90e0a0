"""The sandbox provider."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.checks import Error
from django.utils import timezone
from pytest_django import Settings

from payment import gateways
from payment.checks import check_webhook_secrets
from payment.gateways import (
    Approval,
    Declined,
    Event,
    GatewayUnavailable,
    InvalidSignature,
    sandbox,
)
from payment.gateways.contract import masked

GATEWAY = gateways.get("sandbox")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NEW_SECRET = "whsec_" + "bmV3" * 12


def signed(**facts: Any) -> tuple[dict[str, str], bytes]:
    usual = {"order_number": "order-1", "payment_key": "sandbox_1", "amount": 9900}
    return sandbox.signed_event(**usual | facts)


def confirm(payment_key: str) -> Approval:
    return GATEWAY.confirm(payment_key=payment_key, order_number="order-1", amount=9900)


def test_a_sandbox_key_is_approved() -> None:
    approval = confirm("sandbox_1")

    assert (approval.order_number, approval.amount, approval.currency) == ("order-1", 9900, "KRW")
    assert approval.method == "신용카드 ****-1234"


@pytest.mark.parametrize("key", ["sandbox_declined", "sandbox_declined_2", "live_1", ""])
def test_any_other_key_is_declined(key: str) -> None:
    with pytest.raises(Declined):
        confirm(key)


def test_an_unknown_provider_is_named() -> None:
    with pytest.raises(gateways.UnknownGateway, match="nopay"):
        gateways.get("nopay")


@pytest.mark.parametrize(
    ("method", "shown"),
    [
        ("신용카드 1234-5678-9012-3456", "신용카드 ****-3456"),
        ("신용카드 1234567890123456", "신용카드 ****-3456"),
        ("신용카드 1234 5678 9012 3456", "신용카드 ****-3456"),
        ("신용카드 ****-1234", "신용카드 ****-1234"),
        ("카카오페이", "카카오페이"),
    ],
)
def test_a_card_number_is_masked(method: str, shown: str) -> None:
    assert masked(method) == shown


def test_a_signed_event_tells_what_was_paid() -> None:
    headers, body = signed(event_id="evt_1", method="신용카드 1234-5678-9012-3456")

    event = GATEWAY.verify(headers, body)

    assert (event.provider, event.event_id, event.type) == ("sandbox", "evt_1", Event.PAID)
    assert event.approval
    assert (event.approval.order_number, event.approval.amount) == ("order-1", 9900)
    assert event.approval.method == "신용카드 ****-3456"


@pytest.mark.parametrize("seconds", [-299, 299])
@time_machine.travel(NOON, tick=False)
def test_a_clock_off_by_less_than_five_minutes_is_accepted(seconds: int) -> None:
    headers, body = signed(sent_at=NOON + timedelta(seconds=seconds))

    assert GATEWAY.verify(headers, body).approval


@pytest.mark.parametrize("seconds", [-301, 301])
@time_machine.travel(NOON, tick=False)
def test_a_clock_off_by_more_than_five_minutes_is_refused(seconds: int) -> None:
    headers, body = signed(sent_at=NOON + timedelta(seconds=seconds))

    with pytest.raises(InvalidSignature):
        GATEWAY.verify(headers, body)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_refused(missing: str) -> None:
    headers, body = signed()
    del headers[missing]

    with pytest.raises(InvalidSignature):
        GATEWAY.verify(headers, body)


@pytest.mark.parametrize(
    "signature",
    ["", "v1", "v1,", "v1,===", "v1,가", "v2,QUJD", "v1,QUJD", "v1,a,b", "v1,QUJD v1,RUZH"],
)
def test_a_wrong_signature_is_refused(signature: str) -> None:
    headers, body = signed()

    with pytest.raises(InvalidSignature):
        GATEWAY.verify(headers | {"webhook-signature": signature}, body)


@pytest.mark.parametrize("timestamp", ["", "now", "nan", "inf", "-1", "9" * 400])
def test_a_senseless_timestamp_is_refused(timestamp: str) -> None:
    headers, body = signed()

    with pytest.raises(InvalidSignature):
        GATEWAY.verify(headers | {"webhook-timestamp": timestamp}, body)


@pytest.mark.parametrize("altered", [b" ", b"\xff"])
def test_one_more_byte_is_refused(altered: bytes) -> None:
    headers, body = signed()

    with pytest.raises(InvalidSignature):
        GATEWAY.verify(headers, body + altered)


def test_a_rewritten_body_is_refused() -> None:
    headers, body = signed(method="카드")

    with pytest.raises(InvalidSignature):
        GATEWAY.verify(headers, json.dumps(json.loads(body)).encode())


def test_another_version_tag_is_refused() -> None:
    headers, body = signed()
    headers["webhook-signature"] = headers["webhook-signature"].replace("v1,", "v1a,")

    with pytest.raises(InvalidSignature):
        GATEWAY.verify(headers, body)


def test_the_id_is_part_of_what_is_signed() -> None:
    headers, body = signed()

    with pytest.raises(InvalidSignature):
        GATEWAY.verify(headers | {"webhook-id": "evt_other"}, body)


def test_an_endless_id_is_refused() -> None:
    headers, body = signed(event_id="e" * 256)

    with pytest.raises(InvalidSignature):
        GATEWAY.verify(headers, body)


def test_old_and_new_secret_are_accepted_while_they_rotate(
    settings: Settings, webhook_secret: str
) -> None:
    settings.PAYMENT_WEBHOOK_SECRETS = [NEW_SECRET, webhook_secret]

    for secret in (NEW_SECRET, webhook_secret):
        assert GATEWAY.verify(*signed(secret=secret)).approval


def test_a_retired_secret_is_refused(settings: Settings, webhook_secret: str) -> None:
    settings.PAYMENT_WEBHOOK_SECRETS = [NEW_SECRET]

    with pytest.raises(InvalidSignature):
        GATEWAY.verify(*signed(secret=webhook_secret))


@pytest.mark.parametrize(
    "facts",
    [
        {"amount": "9900"},
        {"amount": True},
        {"amount": 9900.0},
        {"amount": None},
        {"order_number": ["order-1"]},
        {"order_number": "nul\0"},
        {"payment_key": "\ud800"},
        {"payment_key": ""},
        {"method": "x" * 201},
        {"currency": None},
    ],
)
def test_facts_that_make_no_sense_are_no_approval(facts: dict[str, Any]) -> None:
    assert event_about(facts).approval is None


@pytest.mark.parametrize(
    "moment",
    [
        None,
        5,
        "",
        "yesterday",
        "2026-02-30T00:00:00Z",
        "2026-01-01T00:00:00",
        "9999-12-31T23:59:59Z",
    ],
)
def test_a_time_that_makes_no_sense_is_no_approval(moment: Any) -> None:
    assert event_about({"approved_at": moment}).approval is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b"[" * 30_000, b'{"type": 5}', b'{"data": {"amount": 1}}']
)
def test_a_signed_body_that_is_no_event_tells_nothing(body: bytes) -> None:
    event = GATEWAY.verify(resigned(body), body)

    assert (event.type, event.approval) == ("", None)


def event_about(facts: dict[str, Any]) -> Event:
    content = json.loads(signed()[1])
    body = json.dumps(content | {"data": content["data"] | facts}).encode()
    return GATEWAY.verify(resigned(body), body)


def resigned(body: bytes) -> dict[str, str]:
    """The headers that the provider would send with this body."""
    headers, _ = signed()
    now = timezone.now()
    webhook = sandbox.Webhook(sandbox.DEVELOPMENT_SECRET)
    return headers | {
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign(headers["webhook-id"], now, body.decode()),
    }


def test_without_a_secret_nothing_is_verified_and_the_check_says_so(settings: Settings) -> None:
    headers, body = signed()
    settings.PAYMENT_WEBHOOK_SECRETS = []

    with pytest.raises(GatewayUnavailable):
        GATEWAY.verify(headers, body)
    assert [problem.id for problem in check_webhook_secrets()] == ["payment.E001"]


def test_development_has_a_secret_of_its_own(settings: Settings) -> None:
    settings.PAYMENT_WEBHOOK_SECRETS, settings.DEBUG = [], True

    assert GATEWAY.verify(*signed(secret=sandbox.DEVELOPMENT_SECRET)).approval
    assert check_webhook_secrets() == []


@pytest.mark.parametrize("secret", ["whsec_", "whsec_%%%", "비밀", "whsec_c2hvcnQ=", "secret"])
def test_a_weak_secret_is_found_by_the_check(settings: Settings, secret: str) -> None:
    settings.PAYMENT_WEBHOOK_SECRETS = [NEW_SECRET, secret]

    (problem,) = check_webhook_secrets()

    assert isinstance(problem, Error)
    assert problem.id == "payment.E002"
    assert secret not in problem.msg


def test_a_shop_that_did_not_ask_for_the_sandbox_takes_no_sandbox_payments(
    settings: Settings,
) -> None:
    settings.PAYMENT_SANDBOX = False

    with pytest.raises(GatewayUnavailable, match="sandbox is off"):
        GATEWAY.confirm(payment_key="sandbox_1", order_number="A-1", amount=1000)
