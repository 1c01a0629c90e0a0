"""Metrics for Prometheus, read from the database that all processes share."""

import time
from collections.abc import Iterator

from django.core.cache import cache
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from mail.models import Delivery, Message
from mail.operations import status

SUMS_KEPT_FOR = 60  # seconds at least; only the sums read every Message
SUMS_SHARE = 0.01  # of a core that the sums may cost at most

LANE_GAUGES = {
    "due": "Deliveries that are due and in no Batch.",
    "waiting": "Deliveries that will be due later.",
    "paused": "Deliveries of paused Messages.",
    "bound": "Deliveries in a Batch that no worker has claimed.",
    "sending": "Deliveries that workers are sending.",
    "oldest_due_seconds": "Age of the oldest Delivery that is due.",
    "open_batches": "Batches that are not closed.",
}


class MailCollector(Collector):
    """The state of the mail app at the moment of the scrape."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One gauge per figure of `mail.operations.status`, and the Deliveries by state."""
        found = status.read()
        for name, help_text in LANE_GAUGES.items():
            yield _per_lane(
                name, help_text, {lane.lane: float(getattr(lane, name)) for lane in found.lanes}
            )
        yield _per_lane(
            "transport_held",
            "Whether the lane is held, after an error or by a person.",
            {lane.lane: float(lane.held_until is not None) for lane in found.lanes},
        )
        yield GaugeMetricFamily(
            "moa_mail_relay_live", "Whether a relay leads.", float(found.relay_is_live)
        )
        yield _deliveries()


registry = CollectorRegistry()
registry.register(MailCollector())


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """All gauges in Prometheus's text format: counts only, no personal data."""
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _per_lane(name: str, help_text: str, values: dict[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"moa_mail_{name}", help_text, labels=["lane"])
    for lane, value in values.items():
        family.add_metric([lane], value)
    return family


def _deliveries() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "moa_mail_deliveries", "Deliveries by state.", labels=["lane", "state"]
    )
    for lane, state, count in _kept_sums():
        family.add_metric([lane, state], count)
    return family


def _kept_sums() -> list[tuple[str, str, int]]:
    """The sums, cached for longer the longer they take."""
    kept: list[tuple[str, str, int]] | None = cache.get("moa.metrics.sums")
    if kept is None:
        started = time.monotonic()
        kept = _sums()
        took = time.monotonic() - started
        cache.set("moa.metrics.sums", kept, max(SUMS_KEPT_FOR, took / SUMS_SHARE))
    return kept


def _sums() -> list[tuple[str, str, int]]:
    states = Delivery.State.values
    rows = Message.objects.order_by().values_list("lane").annotate(*map(Sum, states))
    return [
        (lane, state, count)
        for lane, *counts in rows
        for state, count in zip(states, counts, strict=True)
    ]
