"""Publishing and subscribing at once, in sessions of their own."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction

from mail import audiences
from mail.models import Broadcast, Message
from seller import services
from seller.models import Immutable, Product, Subscription, Terms
from seller.publishing import AlreadyPublished
from tests.db.seller.conftest import subscribe
from tests.harness.ports import PATIENCE, wait_until

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def in_own_session(call: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        try:
            return call()
        finally:
            connections.close_all()

    return run


def wait_for_a_waiting_session() -> None:
    """Return once some session of this database waits for a lock."""
    wait_until(some_session_waits, what="a session that waits")


def some_session_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


def told() -> set[str]:
    broadcast = Broadcast.objects.get()
    recipients = audiences.recipients(broadcast.audience, broadcast.params, broadcast.moment)
    return set(recipients.values_list("address", flat=True))


def test_who_subscribes_before_the_publication_is_told(
    draft: Terms, admin: User, threads: ThreadPoolExecutor
) -> None:
    """I8, and nobody slips between: the publication waits for a subscription under way."""
    with transaction.atomic():
        subscription = subscribe(draft.product)
        publication = threads.submit(
            in_own_session(lambda: services.publish_terms(terms=draft, by=admin))
        )
        wait_for_a_waiting_session()
        assert not Message.objects.exists()

    publication.result(PATIENCE)

    assert told() == {subscription.address}
    assert subscription.shown_terms is None


def test_who_subscribes_during_the_publication_is_shown_the_change(
    draft: Terms, admin: User, threads: ThreadPoolExecutor
) -> None:
    """I8, and nobody slips between: a subscription waits for a publication under way."""
    with transaction.atomic():
        services.publish_terms(terms=draft, by=admin)
        subscription = threads.submit(in_own_session(lambda: subscribe(draft.product)))
        wait_for_a_waiting_session()

    assert subscription.result(PATIENCE).shown_terms == draft
    assert told() == set()


def test_subscribers_do_not_wait_for_each_other(
    product: Product, threads: ThreadPoolExecutor
) -> None:
    with transaction.atomic():
        subscribe(product, 1)

        other = threads.submit(in_own_session(lambda: subscribe(product, 2)))

        assert other.result(PATIENCE).address == "user2@example.com"


def test_everybody_is_either_told_or_shown_the_change(
    draft: Terms, admin: User, threads: ThreadPoolExecutor
) -> None:
    """I8: many subscriptions around one publication; each person learns of it exactly once."""
    start = threading.Barrier(8)

    def run(number: int) -> None:
        start.wait(PATIENCE)
        for one in range(5):
            subscribe(draft.product, number * 10 + one)

    def publish() -> None:
        start.wait(PATIENCE)
        services.publish_terms(terms=draft, by=admin)

    calls = [lambda number=number: run(number) for number in range(7)]
    for done in [threads.submit(in_own_session(call)) for call in [*calls, publish]]:
        done.result(PATIENCE)

    shown = Subscription.objects.filter(shown_terms=draft)
    not_shown = Subscription.objects.filter(shown_terms=None)
    assert shown.count() + not_shown.count() == 35
    assert told() == set(not_shown.values_list("address", flat=True))


def test_one_address_subscribing_many_times_at_once_subscribes_once(
    product: Product, threads: ThreadPoolExecutor
) -> None:
    start = threading.Barrier(8)

    def run() -> int:
        start.wait(PATIENCE)
        return subscribe(product).pk

    results = [threads.submit(in_own_session(run)) for _ in range(8)]

    assert {result.result(PATIENCE) for result in results} == {Subscription.objects.get().pk}


def test_a_double_click_makes_one_broadcast(
    draft: Terms, admin: User, threads: ThreadPoolExecutor
) -> None:
    """I7: one broadcast, also when two publish at the same moment."""
    start = threading.Barrier(4)

    def run() -> str:
        start.wait(PATIENCE)
        try:
            services.publish_terms(terms=draft, by=admin)
        except AlreadyPublished:
            return "already published"
        return "published"

    results = sorted(
        done.result(PATIENCE) for done in [threads.submit(in_own_session(run)) for _ in range(4)]
    )

    assert results == ["already published"] * 3 + ["published"]
    assert Message.objects.count() == 1


def test_a_draft_that_is_saved_during_its_publication_is_not_changed(
    draft: Terms, admin: User, threads: ThreadPoolExecutor
) -> None:
    edited = Terms.objects.get(pk=draft.pk)
    edited.body = "제1조(바꿔치기)"

    with transaction.atomic():
        services.publish_terms(terms=draft, by=admin)
        saving = threads.submit(in_own_session(edited.save))
        wait_for_a_waiting_session()

    with pytest.raises(Immutable):
        saving.result(PATIENCE)
    assert "바꿔치기" not in Terms.objects.get(pk=draft.pk).body
