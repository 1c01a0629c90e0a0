"""Publishing terms: the rules, and the one notice that follows."""

from collections.abc import Callable
from datetime import datetime, timedelta
from unittest import mock

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from time_machine import TimeMachineFixture

from mail import outbox
from mail.models import Broadcast, Delivery, Message
from mail.worker import expansion
from seller import services
from seller.calendar import SEOUL
from seller.models import NoticePeriod, Product, Seller, Terms
from seller.publishing import (
    AlreadyPublished,
    BroadcastUnfinished,
    NoticeTooShort,
    OutOfOrder,
    ReasonMissing,
)
from tests.db.seller.conftest import in_days, make_draft, subscribe


def finish(message: Message) -> None:
    """Bring a broadcast to its end, as relay and workers do."""
    while expansion.expand_page(message.pk) is not None:
        pass
    Delivery.objects.filter(message=message).update(state="sent")
    Message.objects.filter(pk=message.pk).update(queued=0, sent=message.deliveries.count())


def test_publishing_records_the_version_and_one_broadcast(draft: Terms, staff: User) -> None:
    """I1: the notice is there if and only if the version is published."""
    published = services.publish_terms(terms=draft, by=staff)

    assert published.is_published
    assert published.published_by == staff
    assert timezone.now() - published.published_at < timedelta(minutes=1)
    message = Message.objects.get()
    assert published.message == message
    assert (message.kind, message.lane) == ("seller.terms_changed", "bulk")
    assert message.key == f"terms:{draft.pk}"
    assert message.give_up_after == timedelta(hours=72)
    assert message.keep_for == timedelta(days=5 * 365)
    assert (message.broadcast.audience, message.broadcast.params) == (
        "seller.subscribers",
        {"terms": draft.pk},
    )


def test_every_active_subscriber_is_told_and_nobody_else(
    draft: Terms, admin: User, make_product: Callable[..., Product]
) -> None:
    """I8: who joins after the moment of sending is not told, who left before is not."""
    for number in range(1, 4):
        subscribe(draft.product, number)
    services.end_subscription(subscription=subscribe(draft.product, 4))
    subscribe(make_product(draft.product.seller, name="빵"), 5)

    message = services.publish_terms(terms=draft, by=admin).message
    late = subscribe(draft.product, 6)
    Broadcast.objects.update(moment=late.started_at - timedelta(milliseconds=2))
    finish(message)

    told = Delivery.objects.values_list("address", "name")
    assert list(told) == [(f"user{n}@example.com", f"구독자 {n}") for n in (1, 2, 3)]
    assert late.shown_terms == draft


def test_a_first_version_is_published_without_a_notice(product: Product) -> None:
    assert product.terms.get().is_published
    assert product.terms.get().message is None
    assert not Message.objects.exists()


def test_publishing_twice_makes_one_broadcast(draft: Terms, admin: User) -> None:
    services.publish_terms(terms=draft, by=admin)

    with pytest.raises(AlreadyPublished):
        services.publish_terms(terms=draft, by=admin)

    assert Message.objects.count() == 1


def test_a_publication_that_fails_leaves_nothing(draft: Terms, admin: User) -> None:
    """I1: a Delivery exists if and only if the caller's transaction committed."""

    @transaction.atomic
    def publish_and_fail() -> None:
        services.publish_terms(terms=draft, by=admin)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        publish_and_fail()

    draft.refresh_from_db()
    assert not draft.is_published
    assert not Message.objects.exists()


def test_a_notice_that_cannot_be_recorded_leaves_a_draft(draft: Terms, admin: User) -> None:
    with (
        mock.patch.object(outbox, "broadcast", side_effect=outbox.KeyConflict),
        pytest.raises(outbox.KeyConflict),
    ):
        services.publish_terms(terms=draft, by=admin)

    draft.refresh_from_db()
    assert not draft.is_published


@pytest.mark.parametrize(("is_unfavourable", "days"), [(False, 7), (True, 30)])
def test_the_notice_keeps_its_period(
    product: Product, admin: User, is_unfavourable: bool, days: int
) -> None:
    late = make_draft(product, is_unfavourable=is_unfavourable, effective_on=in_days(days - 1))
    in_time = make_draft(product, is_unfavourable=is_unfavourable, effective_on=in_days(days))

    with pytest.raises(NoticeTooShort, match=in_days(days).isoformat()):
        services.publish_terms(terms=late, by=admin)

    assert services.publish_terms(terms=in_time, by=admin).is_published


def test_the_period_is_a_row_that_operators_change(product: Product, admin: User) -> None:
    NoticePeriod.objects.filter(pk="ordinary").update(days=10)

    with pytest.raises(NoticeTooShort):
        services.publish_terms(terms=make_draft(product, effective_on=in_days(9)), by=admin)

    assert services.publish_terms(terms=make_draft(product, effective_on=in_days(10)), by=admin)


@pytest.mark.parametrize(
    ("clock", "is_in_time"), [("2026-11-30 23:59:59", True), ("2026-12-01 00:00:00", False)]
)
def test_days_are_counted_in_seoul(
    product: Product,
    admin: User,
    time_machine: TimeMachineFixture,
    clock: str,
    is_in_time: bool,
) -> None:
    now = datetime.fromisoformat(clock).replace(tzinfo=SEOUL)
    draft = make_draft(product, effective_on=now.date().replace(year=2026, month=12, day=7))
    time_machine.move_to(now, tick=False)

    with timezone.override("America/New_York"):
        if is_in_time:
            services.publish_terms(terms=draft, by=admin)
        else:
            with pytest.raises(NoticeTooShort):
                services.publish_terms(terms=draft, by=admin)

    draft.refresh_from_db()
    assert draft.is_published is is_in_time


def test_a_shorter_notice_needs_the_right_and_a_reason(product: Product, staff: User) -> None:
    draft = make_draft(product, effective_on=in_days(1))

    with pytest.raises(NoticeTooShort):
        services.publish_terms(terms=draft, by=staff, override_reason="법원 명령")
    staff.user_permissions.add(Permission.objects.get(codename="override_notice_period"))
    staff = User.objects.get(pk=staff.pk)
    with pytest.raises(NoticeTooShort):
        services.publish_terms(terms=draft, by=staff, override_reason=" ")
    published = services.publish_terms(terms=draft, by=staff, override_reason=" 법원 명령 ")

    assert published.override_reason == "법원 명령"


def test_a_reason_that_was_not_needed_is_not_kept(draft: Terms, admin: User) -> None:
    published = services.publish_terms(terms=draft, by=admin, override_reason="혹시 몰라서")

    assert published.override_reason == ""


def test_no_right_reaches_into_the_past(seller: Seller, admin: User) -> None:
    product = Product.objects.create(seller=seller, name="새 상품", price=1)
    Terms.objects.create(
        product=product,
        body="제1조",
        effective_on=in_days(-30),
        published_at=timezone.now() - timedelta(days=40),
    )
    yesterday = make_draft(product, effective_on=in_days(-1))

    with pytest.raises(NoticeTooShort):
        services.publish_terms(terms=yesterday, by=admin, override_reason="실수")


def test_a_first_version_takes_effect_today_at_the_earliest(seller: Seller, admin: User) -> None:
    product = Product.objects.create(seller=seller, name="새 상품", price=1)
    draft = make_draft(product, effective_on=in_days(-1))

    with pytest.raises(NoticeTooShort):
        services.publish_terms(terms=draft, by=admin)


def test_a_change_is_told_with_its_reason(product: Product, admin: User) -> None:
    with pytest.raises(ReasonMissing):
        services.publish_terms(terms=make_draft(product, reason="  "), by=admin)


def test_while_an_earlier_change_is_being_told_the_next_one_waits(
    draft: Terms, admin: User
) -> None:
    subscribe(draft.product)
    told = services.publish_terms(terms=draft, by=admin).message
    following = make_draft(draft.product, effective_on=in_days(8))

    with pytest.raises(BroadcastUnfinished):  # nobody is counted yet
        services.publish_terms(terms=following, by=admin)
    expansion.expand_page(told.pk)
    expansion.expand_page(told.pk)
    with pytest.raises(BroadcastUnfinished):  # one is queued
        services.publish_terms(terms=following, by=admin)
    finish(told)

    assert services.publish_terms(terms=following, by=admin).is_published


def test_a_cancelled_notice_makes_way_for_the_next(draft: Terms, admin: User) -> None:
    outbox.cancel(services.publish_terms(terms=draft, by=admin).message)

    following = make_draft(draft.product, effective_on=in_days(8))

    assert services.publish_terms(terms=following, by=admin).is_published


def test_the_notices_of_other_products_do_not_wait(
    draft: Terms, admin: User, make_product: Callable[..., Product]
) -> None:
    services.publish_terms(terms=draft, by=admin)

    elsewhere = make_draft(make_product(draft.product.seller, name="빵"))

    assert services.publish_terms(terms=elsewhere, by=admin).is_published


def test_versions_take_effect_in_their_order(product: Product, admin: User) -> None:
    overtaken, second, same_day = (
        make_draft(product, effective_on=in_days(days)) for days in (9, 8, 8)
    )
    finish(services.publish_terms(terms=second, by=admin).message)

    with pytest.raises(OutOfOrder):  # a later version is published
        services.publish_terms(terms=overtaken, by=admin)
    with pytest.raises(OutOfOrder):  # its day is not later
        services.publish_terms(terms=same_day, by=admin)


@pytest.mark.parametrize("where", ["terms", "product", "seller"])
def test_placeholders_that_came_past_the_forms_are_refused(
    draft: Terms, admin: User, where: str
) -> None:
    """I12: no text that a person typed passes for a placeholder."""
    forged = "\ue000address\ue001"
    if where == "terms":
        Terms.objects.filter(pk=draft.pk).update(body=forged)
    elif where == "product":
        Product.objects.update(name=forged)
    else:
        type(draft.product.seller).objects.update(representative=forged)

    with pytest.raises(ValidationError):
        services.publish_terms(terms=draft, by=admin)

    assert not Message.objects.exists()


def test_publishing_costs_the_same_for_one_subscriber_and_for_many(
    product: Product,
    admin: User,
    make_product: Callable[..., Product],
) -> None:
    many = make_product(product.seller, name="빵")
    subscribe(product)
    for number in range(200):
        subscribe(many, number)
    one_draft, many_draft = make_draft(product), make_draft(many)

    with CaptureQueriesContext(
        connection,
    ) as one:
        services.publish_terms(terms=one_draft, by=admin)
    with CaptureQueriesContext(connection) as two_hundred:
        services.publish_terms(terms=many_draft, by=admin)

    assert len(one) == len(two_hundred) <= 20
