"""MAIL_RATE, held over all workers together."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone

from mail.conf.rate import Rate
from mail.models import Lane, Transport
from mail.worker import rate_limit
from mail.worker.lease import Lease
from mail.worker.rate_limit import Places, RateLimit
from tests.db.mail.delivering import Script, bind, deliver, lane_row, said, send, states
from tests.db.mail.threads import in_threads
from tests.unit.mail.mails import NOTICE

pytestmark = pytest.mark.usefixtures("transactional_db")

LANE = Lane.TRANSACTIONAL
NOON = datetime(2026, 11, 22, 12, tzinfo=ZoneInfo("Asia/Seoul"))


@pytest.fixture(autouse=True)
def _two_servers(settings) -> None:
    settings.MAIL_TRANSPORTS = {
        LANE: {"OPTIONS": {"host": "one.example"}},
        Lane.BULK: {"OPTIONS": {"host": "two.example"}},
    }


def rate(settings, text: str) -> None:
    settings.MAIL_RATE = Rate.parse(text, name="MAIL_RATE")


def limit_of(mails: int) -> RateLimit:
    return RateLimit(LANE, mails, clock=timezone.now)


def nothing() -> None:
    """A renewal that is not needed."""


def test_without_a_rate_mails_leave_at_once(settings):
    rate(settings, "")

    assert rate_limit.reserve(LANE, 500) == Places()
    assert lane_row().next_slot_at is None
    limit = limit_of(500)
    assert limit.is_unlimited
    assert all(limit.wait(nothing, lambda: False) for _ in range(500))


def test_places_in_time_follow_each_other_over_all_batches(settings):
    rate(settings, "10/s")
    with time_machine.travel(NOON, tick=False):
        first, second = rate_limit.reserve(LANE, 20), rate_limit.reserve(LANE, 5)

        assert (first.start, first.interval) == (NOON, timedelta(seconds=0.1))
        assert second.start == NOON + timedelta(seconds=2)
        assert lane_row().next_slot_at == NOON + timedelta(seconds=2.5)


def test_a_time_of_rest_is_not_made_up_for(settings):
    """No burst follows a night without mail."""
    rate(settings, "10/s")
    with time_machine.travel(NOON, tick=False):
        rate_limit.reserve(LANE, 20)
    with time_machine.travel(NOON + timedelta(hours=8), tick=False):
        assert rate_limit.reserve(LANE, 1).start == NOON + timedelta(hours=8)


def test_each_server_has_a_bucket_and_lanes_that_share_one_share_it(settings):
    rate(settings, "1/s")
    with time_machine.travel(NOON, tick=False):
        rate_limit.reserve(LANE, 10)
        apart = rate_limit.reserve(Lane.BULK, 10)
        settings.MAIL_TRANSPORTS = {lane: {"OPTIONS": {"host": "one.example"}} for lane in Lane}
        shared = rate_limit.reserve(Lane.BULK, 10)

    assert apart.start == NOON
    assert shared.start == NOON + timedelta(seconds=10)


class Waiting:
    """A clock that goes on when somebody sleeps."""

    def __init__(self, traveller) -> None:
        self.traveller = traveller
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.traveller.shift(seconds)


@pytest.fixture
def asleep(monkeypatch):
    with time_machine.travel(NOON, tick=False) as traveller:
        waiting = Waiting(traveller)
        monkeypatch.setattr(rate_limit, "time", waiting)
        monkeypatch.setattr(Lease, "now", lambda _: timezone.now())
        yield waiting


def test_each_mail_waits_for_its_place_with_signs_of_life(settings, asleep: Waiting):
    """I3: a worker that waits for its rate renews its lease."""
    rate(settings, "15/m")
    limit = limit_of(3)
    signs: list[int] = []

    left = [limit.wait(lambda: signs.append(1), lambda: False) for _ in range(3)]

    assert left == [True, True, True]
    assert sum(asleep.slept) == pytest.approx(8)
    assert max(asleep.slept) <= rate_limit.WAKE
    assert len(signs) == len(asleep.slept)


def test_a_mail_that_is_late_does_not_wait(settings, asleep: Waiting):
    rate(settings, "1/s")
    limit = limit_of(3)
    assert limit.wait(nothing, lambda: False)
    asleep.traveller.shift(60)

    assert limit.wait(nothing, lambda: False)
    assert asleep.slept == []


def test_a_worker_told_to_stop_waits_no_longer(settings, asleep: Waiting):
    rate(settings, "1/m")
    limit = limit_of(2)
    assert limit.wait(nothing, lambda: False)
    stops = iter([False, False, True])

    assert not limit.wait(nothing, lambda: next(stops))
    assert sum(asleep.slept) <= 2


def test_the_quota_of_a_day_is_given_out_once(settings):
    rate(settings, "10/d")
    with time_machine.travel(NOON, tick=False):
        counts = [rate_limit.reserve(LANE, 4).count for _ in range(4)]

    assert counts == [4, 4, 2, 0]
    assert lane_row().day_count == 10


def test_a_new_day_begins_at_midnight_here(settings):
    rate(settings, "10/d")
    with time_machine.travel(NOON, tick=False):
        rate_limit.reserve(LANE, 10)
    with time_machine.travel(datetime(2026, 11, 23, tzinfo=NOON.tzinfo), tick=False):
        assert rate_limit.reserve(LANE, 4).count == 4

    assert (lane_row().day_count, str(lane_row().day)) == (4, "2026-11-23")


def test_a_used_up_quota_holds_the_lane_until_midnight(settings, script: Script):
    """Nothing is bound, published and claimed needlessly all day."""
    rate(settings, "2/d")
    send("a", "b", "c")

    deliver(bind())

    lane = lane_row()
    held_until = timezone.localtime(lane.held_until)
    assert states() == {"a": "sent", "b": "sent", "c": "queued"}
    assert (held_until.hour, held_until.minute) == (0, 0)
    assert held_until.date() == timezone.localdate() + timedelta(days=1)
    assert "quota" in lane.reason
    assert lane.holds_in_a_row == 0
    assert lane_row(Lane.BULK).held_until is None


def test_an_operators_hold_outlasts_the_quota(settings):
    rate(settings, "2/d")
    until = timezone.now() + timedelta(days=30)
    Transport.objects.update(held_until=until, held_by="boss")

    rate_limit.reserve(LANE, 3)

    assert (lane_row().held_until, lane_row().held_by) == (until, "boss")


def test_quota_is_not_spent_on_mails_that_were_not_offered(settings, script: Script):
    """An outage uses up none of the daily limit."""
    rate(settings, "100/d")
    script.otherwise = said(421, phase=script.otherwise.phase.MAIL)
    send("a", "b", "c")
    for _ in range(3):
        deliver(bind())
        Transport.objects.update(held_until=None)

    assert lane_row().day_count == 0


def test_quota_is_spent_on_what_was_offered(settings, script: Script):
    rate(settings, "100/d")
    script.on("b", said(550))
    send("a", "b", "c")
    stop = iter([False, False, True])

    deliver(bind(), is_stopping=lambda: next(stop))

    assert lane_row().day_count == 2


def test_a_rate_slows_a_batch_down(settings, script: Script, asleep: Waiting):
    rate(settings, "2/s")
    send("a", "b", "c")

    deliver(bind())

    assert sum(asleep.slept) == pytest.approx(1)
    assert set(states().values()) == {"sent"}


def test_a_receipt_finds_a_place_behind_a_few_of_a_long_batch(settings, asleep: Waiting):
    """Receipts first: a Batch of bulk mails reserves a tenth of a second."""
    rate(settings, "40/s")
    bulk = limit_of(500)
    for _ in range(5):
        assert bulk.wait(nothing, lambda: False)

    receipt = rate_limit.reserve(LANE, 1)

    assert receipt.start == NOON + timedelta(seconds=8 / 40)
    assert bulk.reserved == 8


def test_every_mail_of_a_batch_has_a_place_of_its_own(settings, asleep: Waiting):
    rate(settings, "40/s")
    limit = limit_of(25)

    waited = [limit.wait(nothing, lambda: False) for _ in range(25)]

    assert all(waited)
    assert sum(asleep.slept) == pytest.approx(24 / 40)
    assert (limit.reserved, limit.mails_left) == (25, 0)


@pytest.mark.postgresql
def test_workers_that_ask_at_once_get_places_apart(settings):
    rate(settings, "10/s,95/d")

    def reserve() -> int:
        return rate_limit.reserve(LANE, 10).count

    counts = in_threads(10, reserve)

    assert sorted(counts) == [5, *[10] * 9]
    assert lane_row().day_count == 95


def test_a_kind_of_the_other_lane_is_paced_by_its_own_server(settings, script: Script):
    rate(settings, "1/d")
    send("a", "b")
    send("c", kind=NOTICE)

    deliver(bind())
    deliver(bind(Lane.BULK))

    assert states() == {"a": "sent", "b": "queued", "c": "sent"}
