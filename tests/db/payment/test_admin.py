"""Payments and webhook events in the admin."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext

from mail.admin.history import Button, HistoryAdmin, ask
from mail.admin.long_list import BoundedPaginator
from mail.models import Message
from mail.operations import access
from payment.admin import PaymentAdmin, WebhookEventAdmin
from payment.gateways import Event
from payment.inbox import process_event
from payment.models import Payment, WebhookEvent
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


@pytest.fixture
def event(paid: Payment, monkeypatch: pytest.MonkeyPatch) -> WebhookEvent:
    """An event of the seller's, in an admin that offers to file it, after a question."""

    @admin.action(description="File", permissions=["steer"])
    def file(self: HistoryAdmin, request: HttpRequest, events: QuerySet[Any]) -> Any:
        if "sure" not in request.POST:
            return ask(self, request, events, action="file", question="File it?")
        events.update(detail="filed")
        return None

    monkeypatch.setattr(WebhookEventAdmin, "file", file, raising=False)
    monkeypatch.setattr(WebhookEventAdmin, "actions", ("file",))
    monkeypatch.setattr(WebhookEventAdmin, "buttons", lambda *_: [Button("file", "File it")])
    return process_event(
        event=Event(
            provider="sandbox", event_id="evt_1", type=Event.PAID, approval=approval_of(paid)
        )
    )


@pytest.fixture
def clerk(staff: User) -> User:
    """Staff of the seller who may change events, as Django's permissions say it."""
    permission = Permission.objects.get(
        content_type__app_label="payment", codename="change_webhookevent"
    )
    staff.user_permissions.add(permission)
    return User.objects.get(pk=staff.pk)


def test_a_button_of_another_apps_history_leads_back_to_its_own_page(
    event: WebhookEvent, clerk: User
) -> None:
    page = f"{EVENTS}{event.pk}/change/"
    client = browser(clerk)
    press = {"action": "file", "_selected_action": event.pk, "on_page": "1"}

    shown = client.get(page).content.decode()
    asked = client.post(EVENTS, press).content.decode()
    done = client.post(EVENTS, press | {"sure": "yes"})

    assert f'<form method="post" action="{EVENTS}">' in shown
    assert "File it" in shown
    assert f'<a href="{page}">' in asked
    assert str(event) in asked
    assert (done.status_code, done["Location"]) == (302, page)
    event.refresh_from_db()
    assert event.detail == "filed"


def test_who_may_steer_the_history_of_an_app_is_its_own_permission(
    event: WebhookEvent, clerk: User
) -> None:
    """Acting for the seller shows the event; `payment.change_webhookevent` allows the action."""
    clerk.user_permissions.clear()

    shown = browser(clerk).get(f"{EVENTS}{event.pk}/change/").content.decode()
    browser(clerk).post(
        EVENTS, {"action": "file", "_selected_action": event.pk, "sure": "yes"}, follow=True
    )

    assert "File it" not in shown
    event.refresh_from_db()
    assert event.detail == ""


def test_a_long_list_says_that_there_are_more(
    paid: Payment, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedPaginator, "most", 3)
    monkeypatch.setattr(PaymentAdmin, "list_per_page", 2)
    for number in range(4):
        open_one(paid.product, order_number=f"many-{number}")

    listed = browser(staff).get(PAYMENTS, {"p": "2"}).content.decode()

    assert "3+" in listed
    here = ('class="this-page">2<', 'aria-current="page">2<')  # before Django 6.0, and since
    assert any(mark in listed for mark in here)
    assert 'href="?p=1"' in listed


def test_receipts_are_visible_to_the_staff_of_their_seller(
    paid: Payment, ready: Payment, staff: User, stranger: User
) -> None:
    assert list(access.visible_to(staff)) == list(Message.objects.filter(pk=paid.receipt_id))
    assert list(access.visible_to(stranger)) == []
