"""manage.py mail_status"""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from mail.models import Batch, Delivery, RelayLease, Transport
from tests.db.mail.rows import claim, record_broadcast, record_mail, settle

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def status() -> dict[str, Any]:
    return json.loads(call_command("mail_status", "--json"))


def lane(name: str = "transactional") -> dict[str, Any]:
    return next(lane for lane in status()["lanes"] if lane["lane"] == name)


def test_an_idle_shop_has_nothing_in_any_lane():
    figures = lane()

    assert {name: figures[name] for name in ("due", "waiting", "sending", "open_batches")} == {
        "due": 0,
        "waiting": 0,
        "sending": 0,
        "open_batches": 0,
    }
    assert figures["oldest_due_seconds"] == 0
    assert figures["held_until"] is None


def test_each_delivery_is_counted_where_it_is():
    record_mail("due@example.com")
    record_mail("later@example.com", send_at=timezone.now() + HOUR)
    claim(record_mail("a@example.com", "b@example.com"))
    bound = record_mail("bound@example.com")
    bound.deliveries.update(batch=Batch.objects.create(lane="transactional", size=1))
    record_mail("paused@example.com").deliveries.update(paused=True)
    settle(record_mail("unsure@example.com"), "uncertain")
    settle(record_mail("failed@example.com"), "failed")
    old = record_mail("old@example.com")
    settle(old, "failed")
    old.deliveries.update(settled_at=timezone.now() - 25 * HOUR)

    figures = lane()

    assert {name: count for name, count in figures.items() if isinstance(count, int)} == {
        "due": 1,
        "waiting": 1,
        "sending": 2,
        "bound": 1,
        "paused": 1,
        "uncertain": 1,
        "failed_last_day": 1,
        "open_batches": 2,
    }
    assert lane("bulk")["due"] == 0


def test_the_age_of_the_oldest_due_mail_is_reported():
    record_mail("a@example.com")
    Delivery.objects.update(due_at=timezone.now() - HOUR)
    record_mail("b@example.com")

    assert 3600 <= lane()["oldest_due_seconds"] < 3700


def test_a_held_transport_is_reported_with_who_and_why():
    until = timezone.now() + HOUR
    Transport.objects.filter(lane="bulk").update(held_until=until, held_by="kim", reason="tests")

    assert lane("bulk")["held_by"] == "kim"
    assert lane()["held_until"] is None
    assert "by kim: tests" in call_command("mail_status")


def test_a_hold_that_is_over_is_none():
    Transport.objects.update(held_until=timezone.now() - HOUR, reason="once")

    assert lane()["held_until"] is None
    assert lane()["reason"] == ""


@pytest.mark.parametrize(
    ("ahead", "live", "words"), [(HOUR, True, "leads"), (-HOUR, False, "has lost its lease")]
)
def test_the_relay_that_leads_is_reported(ahead: timedelta, live: bool, words: str):
    RelayLease.objects.update(holder="here:1", lease_until=timezone.now() + ahead)

    assert (status()["relay"], status()["relay_is_live"]) == ("here:1", live)
    assert f"relay here:1 {words}" in call_command("mail_status")


def test_unfinished_broadcasts_are_told_with_their_progress():
    under_way = record_broadcast("Kim", "Lee", "Park", "Choi")
    settle(under_way.deliveries.filter(name="Kim"), "sent")
    settle(record_broadcast("Kim"), "sent")

    (told,) = status()["broadcasts"]
    assert told["message"] == under_way.pk
    assert (told["settled"], told["recipients"], told["progress"]) == (1, 4, 0.25)
    assert f"broadcast {under_way.pk} (test.news): 25.0% of 4" in call_command("mail_status")


def test_a_broadcast_whose_recipients_are_not_all_known_is_never_finished():
    settle(record_broadcast("Kim", expanded=False), "sent")

    (told,) = status()["broadcasts"]
    assert (told["expanded"], told["progress"]) == (False, 0.99)
