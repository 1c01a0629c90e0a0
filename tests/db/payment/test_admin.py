"""Payments and webhook events in the admin."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from mail.models import Message
from mail.operations import access
from payment.gateways import Event
from payment.inbox import process_event
from payment.models import Payment
from tests.db.payment.conftest import approval_of, open_one

PAYMENTS = "/admin/payment/payment/"
EVENTS = "/admin/payment/webhookevent/"


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_staff_see_the_payments_of_their_sellers(paid: Payment, staff: User) -> None:
    listed = browser(staff).get(PAYMENTS)
    shown = browser(staff).get(f"{PAYMENTS}{paid.pk}/change/")

    assert "order-1" in listed.content.decode()
    assert "₩9,900" in shown.content.decode()
    assert f"/admin/mail/message/{paid.receipt_id}/change/" in shown.content.decode()


def test_staff_of_others_see_none_of_them(paid: Payment, stranger: User) -> None:
    listed = browser(stranger).get(PAYMENTS)
    shown = browser(stranger).get(f"{PAYMENTS}{paid.pk}/change/")

    assert "order-1" not in listed.content.decode()
    assert shown.status_code == 302


def test_those_who_act_for_no_seller_are_refused(paid: Payment) -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)

    assert browser(clerk).get(PAYMENTS).status_code == 403


@pytest.mark.parametrize("path", ["add/", "{pk}/change/", "{pk}/delete/"])
def test_history_is_not_written_even_by_a_superuser(paid: Payment, path: str) -> None:
    root = User.objects.create_superuser("root")

    response = browser(root).post(f"{PAYMENTS}{path.format(pk=paid.pk)}", {"state": "ready"})

    assert response.status_code == 403
    paid.refresh_from_db()
    assert paid.state == Payment.State.PAID


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", True),
        ("q=order-1", True),
        ("q=buyer", False),
        ("state=paid", True),
        ("state=ready", False),
    ],
)
def test_payments_are_found_by_state_and_order_number(
    paid: Payment, staff: User, query: str, found: bool
) -> None:
    listed = browser(staff).get(f"{PAYMENTS}?{query}").content.decode()

    assert (f"/admin/payment/payment/{paid.pk}/change/" in listed) is found


def test_the_list_costs_the_same_for_one_and_for_twenty(paid: Payment, staff: User) -> None:
    client = browser(staff)
    with CaptureQueriesContext(connection) as for_one:
        client.get(PAYMENTS)
    for number in range(20):
        open_one(paid.product, order_number=f"many-{number}")

    with CaptureQueriesContext(connection) as for_twenty:
        client.get(PAYMENTS)

    assert len(for_twenty) == len(for_one)


def test_events_are_shown_to_whom_they_concern(paid: Payment, staff: User, stranger: User) -> None:
    for number, facts in enumerate([{}, {"order_number": "of-nobody"}]):
        process_event(
            event=Event(
                provider="sandbox",
                event_id=f"evt_{number}",
                type=Event.PAID,
                approval=approval_of(paid, **facts),
            )
        )
    root = User.objects.create_superuser("root")

    seen = {
        user.username: [
            number
            for number in range(2)
            if f"evt_{number}" in browser(user).get(EVENTS).content.decode()
        ]
        for user in (staff, stranger, root)
    }

    assert seen == {"staff": [0], "stranger": [], "root": [0, 1]}


def test_receipts_are_visible_to_the_staff_of_their_seller(
    paid: Payment, ready: Payment, staff: User, stranger: User
) -> None:
    assert list(access.visible_to(staff)) == list(Message.objects.filter(pk=paid.receipt_id))
    assert list(access.visible_to(stranger)) == []
