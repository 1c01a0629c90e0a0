"""The filter that selects what to resend."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from mail import outbox
from mail.kinds import SECRET
from mail.models import Delivery, Message
from mail.operations import resend_filter
from mail.operations.resend_filter import InvalidFilter
from tests.db.mail.rows import record_mail, settle

pytestmark = pytest.mark.django_db


@pytest.fixture
def troubled() -> Message:
    """One Message with a Delivery in each state, two of them failed."""
    message = record_mail(
        "gone@example.com",
        "full@example.org",
        "unsure@example.com",
        "sent@example.com",
        "q@b.example",
    )
    rows = message.deliveries
    settle(rows.filter(address="gone@example.com"), "failed", code="550")
    settle(rows.filter(address="full@example.org"), "failed", code="552")
    settle(rows.filter(address="unsure@example.com"), "uncertain")
    settle(rows.filter(address="sent@example.com"), "sent", code="250")
    return message


def selected(**filters: Any) -> set[str]:
    return set(resend_filter.failed(**filters).values_list("address", flat=True))


def test_without_filters_all_failed_ones_are_selected(troubled: Message):
    assert selected() == {"gone@example.com", "full@example.org"}


def test_uncertain_ones_are_selected_only_when_asked(troubled: Message):
    assert selected(include_uncertain=True) == {
        "gone@example.com",
        "full@example.org",
        "unsure@example.com",
    }


@pytest.mark.parametrize(
    ("filters", "addresses"),
    [
        ({"code": "550"}, {"gone@example.com"}),
        ({"code": "999"}, set()),
        ({"domain": "example.org"}, {"full@example.org"}),
        ({"domain": "EXAMPLE.org"}, {"full@example.org"}),
        ({"domain": "ample.org"}, set()),
        ({"kind": "mail.django"}, {"gone@example.com", "full@example.org"}),
        ({"kind": "mail.secret"}, set()),
        ({"limit": 1}, {"gone@example.com"}),
        ({"limit": 5}, {"gone@example.com", "full@example.org"}),
        ({"code": "552", "limit": 1}, {"full@example.org"}),
    ],
)
def test_a_filter_narrows_the_selection(
    troubled: Message, filters: dict[str, Any], addresses: set[str]
):
    assert selected(**filters) == addresses


def test_a_domain_is_found_in_the_form_it_was_stored_in():
    settle(record_mail("a@한국.example"), "failed")

    assert selected(domain="한국.example") == {"a@xn--3e0b707e.example"}


def test_one_message_is_selected(troubled: Message):
    other = record_mail("other@example.com")
    settle(other, "failed")

    assert selected(message=other.pk) == {"other@example.com"}


def test_since_is_included_and_until_is_not(troubled: Message):
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    Delivery.objects.filter(state="failed").update(settled_at=at)

    assert len(selected(since=at)) == 2
    assert selected(until=at) == set()
    assert len(selected(since=at - timedelta(1), until=at + timedelta(1))) == 2
    assert selected(since=at + timedelta(1)) == set()


@pytest.mark.parametrize(
    "change", [{"cancelled_at": Now()}, {"erased_at": Now()}], ids=["cancelled", "erased"]
)
def test_what_cannot_be_sent_again_is_not_selected(troubled: Message, change: dict[str, Any]):
    Message.objects.update(**change)

    assert selected(include_uncertain=True) == set()


def test_a_limit_holds_while_the_selected_rows_leave_the_query(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mail.ledger.transitions.PAGE", 2)
    settle(record_mail(*(f"r{number}@example.com" for number in range(9))), "failed")

    resent = outbox.resend(resend_filter.failed(limit=5))

    assert resent == 5
    assert Delivery.objects.filter(state="failed").count() == 4


NOW = timezone.now()


@pytest.mark.parametrize(
    ("filters", "field", "reason"),
    [
        ({"message": 424242}, "message", "no message 424242"),
        ({"message": 10**30}, "message", "no message"),
        ({"kind": "mail.unheard"}, "kind", SECRET.name),
        ({"domain": "not a domain"}, "domain", "example.com"),
        ({"domain": "localhost"}, "domain", "example.com"),
        ({"limit": 0}, "limit", "between 1 and 1,000,000"),
        ({"limit": 1_000_001}, "limit", "between 1 and 1,000,000"),
        ({"since": NOW, "until": NOW}, "until", "later than since"),
        ({"since": datetime(1, 1, 1, tzinfo=UTC)}, "since", "1970"),
        ({"until": datetime(9999, 12, 31, tzinfo=UTC)}, "until", "9998"),
    ],
)
def test_a_filter_that_selects_nothing_sensible_is_refused(
    filters: dict[str, Any], field: str, reason: str
):
    with pytest.raises(InvalidFilter, match=reason) as refused:
        resend_filter.failed(**filters)

    assert refused.value.field == field


def test_a_kind_that_is_declared_no_more_is_still_found(troubled: Message):
    Message.objects.update(kind="shop.retired")

    assert selected(kind="shop.retired") == {"gone@example.com", "full@example.org"}
