"""/metrics"""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from mail.models import Delivery, RelayLease, Transport
from tests.db.mail.rows import claim, record_mail, settle

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    cache.clear()


@pytest.fixture
def scrape(client: Client):
    def read() -> dict[tuple[str, ...], float]:
        text = client.get("/metrics").content.decode()
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    return read


def test_an_idle_shop_has_every_gauge_at_zero(scrape):
    gauges = scrape()

    for name in ("due", "oldest_due_seconds", "open_batches", "transport_held", "sending"):
        for lane in ("transactional", "bulk"):
            assert gauges[f"moa_mail_{name}", lane] == 0
    assert gauges[("moa_mail_relay_live",)] == 0


def test_deliveries_are_counted_by_state(scrape):
    settle(record_mail("a@example.com", "b@example.com"), "sent")
    record_mail("c@example.com")

    gauges = scrape()

    assert gauges["moa_mail_deliveries", "transactional", "sent"] == 2
    assert gauges["moa_mail_deliveries", "transactional", "queued"] == 1


def test_the_backlog_and_its_age_are_reported(scrape):
    record_mail("a@example.com")
    Delivery.objects.update(due_at=timezone.now() - HOUR)
    claim(record_mail("b@example.com"))

    gauges = scrape()

    assert gauges["moa_mail_due", "transactional"] == 1
    assert gauges["moa_mail_sending", "transactional"] == 1
    assert gauges["moa_mail_open_batches", "transactional"] == 1
    assert 3600 <= gauges["moa_mail_oldest_due_seconds", "transactional"] < 3700


def test_a_held_transport_and_a_live_relay_are_reported(scrape):
    Transport.objects.filter(lane="bulk").update(held_until=timezone.now() + HOUR)
    RelayLease.objects.update(holder="here", lease_until=timezone.now() + HOUR)

    gauges = scrape()

    assert gauges["moa_mail_transport_held", "bulk"] == 1
    assert gauges["moa_mail_transport_held", "transactional"] == 0
    assert gauges[("moa_mail_relay_live",)] == 1


def test_nobody_is_named(client: Client):
    record_mail("secret.person@example.com")

    assert b"example.com" not in client.get("/metrics").content
