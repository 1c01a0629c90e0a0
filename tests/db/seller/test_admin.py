"""The admin: a draft is read and published by click, and nobody sees another seller's rows."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from mail.models import Message
from seller import services
from seller.models import NoticePeriod, Product, Seller, Subscription, Terms
from tests.db.seller.conftest import NEW_BODY, in_days, make_draft, subscribe


@pytest.fixture(autouse=True)
def english(settings: Any) -> None:
    settings.LANGUAGE_CODE = "en"


@pytest.fixture
def browser(staff: User) -> Client:
    """A browser in which the seller's staff is logged in."""
    client = Client()
    client.force_login(staff)
    return client


@pytest.fixture
def root(admin: User) -> Client:
    client = Client()
    client.force_login(admin)
    return client


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:seller_{name}", args=args)


def said(response: Any) -> str:
    return response.content.decode()


def test_the_confirmation_shows_what_will_happen(browser: Client, draft: Terms) -> None:
    subscribe(draft.product, 1)
    subscribe(draft.product, 2)

    shown = said(browser.get(page("terms_publish", draft.pk)))

    assert '<td id="recipients">2</td>' in shown
    assert f"✓ long enough: {in_days(7).isoformat()} at the earliest" in shown
    assert "<del>9,900원입니다</del>" in shown
    assert "<ins>12,900원입니다</ins>" in shown
    assert '<iframe class="mail" sandbox=""' in shown
    assert "{name}님, 안녕하세요." in shown
    assert not Message.objects.exists()


def test_hostile_terms_cannot_leave_the_preview(browser: Client, product: Product) -> None:
    draft = make_draft(product, body='제1조 "></iframe><script>alert(1)</script>')

    shown = said(browser.get(page("terms_publish", draft.pk)))

    assert "<script>alert" not in shown
    assert shown.count("</iframe>") == 1


def test_one_click_publishes_and_leads_to_the_notice(browser: Client, draft: Terms) -> None:
    subscribe(draft.product)

    answer = browser.post(page("terms_publish", draft.pk), follow=True)

    draft.refresh_from_db()
    assert draft.is_published
    assert draft.published_by.username == "staff"
    assert answer.redirect_chain[-1][0] == page("terms_change", draft.pk)
    assert "Published. Subscribers are being notified." in said(answer)
    assert reverse("admin:mail_message_change", args=[draft.message_id]) in said(answer)
    assert LogEntry.objects.get(object_id=draft.pk).change_message == "Published."


def test_a_second_click_tells_nobody_again(browser: Client, draft: Terms) -> None:
    browser.post(page("terms_publish", draft.pk))

    answer = browser.post(page("terms_publish", draft.pk), follow=True)

    assert "This version is already published." in said(answer)
    assert Message.objects.count() == 1


def test_a_refusal_is_shown_and_changes_nothing(browser: Client, product: Product) -> None:
    draft = make_draft(product, effective_on=in_days(6))

    shown = browser.get(page("terms_publish", draft.pk))
    answer = browser.post(
        page("terms_publish", draft.pk), {"override_reason": "급합니다"}, follow=True
    )

    assert "✗ too short" in said(shown)
    assert 'name="override_reason"' not in said(shown)
    assert "at the earliest" in said(answer)
    draft.refresh_from_db()
    assert not draft.is_published


def test_who_may_shorten_the_notice_gives_a_reason(root: Client, product: Product) -> None:
    draft = make_draft(product, effective_on=in_days(1))

    shown = root.get(page("terms_publish", draft.pk))
    root.post(page("terms_publish", draft.pk), {"override_reason": "법원 명령"})

    assert 'name="override_reason"' in said(shown)
    draft.refresh_from_db()
    assert draft.override_reason == "법원 명령"


def test_a_missing_reason_is_said_before_the_click(browser: Client, product: Product) -> None:
    shown = said(browser.get(page("terms_publish", make_draft(product, reason="").pk)))

    assert "Enter the reason for the change" in shown
    assert " disabled" in shown


def test_publishing_needs_the_token_of_the_form(
    staff: User, draft: Terms, browser: Client
) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff)

    assert strict.post(page("terms_publish", draft.pk)).status_code == 403


def test_a_draft_is_written_by_the_service(browser: Client, product: Product) -> None:
    answer = browser.post(
        page("terms_add"),
        {
            "product": product.pk,
            "title": "이용약관",
            "body": NEW_BODY.replace("\n", "\r\n"),
            "reason": "요금 변경",
            "effective_on": in_days(7).isoformat(),
        },
        follow=True,
    )

    draft = Terms.objects.drafts().get()
    assert draft.version == 2
    assert draft.body.rstrip() == NEW_BODY.rstrip()
    assert page("terms_change", draft.pk) in said(answer)


def test_a_draft_begins_with_the_words_in_force(browser: Client, product: Product) -> None:
    link = f"{page('terms_add')}?product={product.pk}"

    assert link in said(browser.get(page("product_change", product.pk)))
    assert "월 요금은 9,900원입니다." in said(browser.get(link))
    assert browser.get(f"{page('terms_add')}?product=x").status_code == 200


def test_a_draft_may_be_edited_and_deleted(browser: Client, draft: Terms) -> None:
    fields = {"title": "새 제목", "body": "제1조", "effective_on": in_days(9).isoformat()}

    browser.post(page("terms_change", draft.pk), fields)

    draft.refresh_from_db()
    assert draft.title == "새 제목"
    browser.post(page("terms_delete", draft.pk), {"post": "yes"})
    assert not Terms.objects.drafts().exists()


def test_a_published_version_is_only_read(root: Client, product: Product) -> None:
    published = product.terms.get()

    shown = said(root.get(page("terms_change", published.pk)))
    edited = root.post(page("terms_change", published.pk), {"title": "다른 제목"})
    deleted = root.post(page("terms_delete", published.pk), {"post": "yes"})

    assert 'name="title"' not in shown
    assert published.sha256 in shown
    assert (edited.status_code, deleted.status_code) == (403, 403)
    assert Terms.objects.get().title == "이용약관"


def test_the_list_shows_state_and_progress(browser: Client, draft: Terms, admin: User) -> None:
    message = services.publish_terms(terms=draft, by=admin).message
    Message.objects.filter(pk=message.pk).update(sent=1_200, queued=34)
    make_draft(draft.product)

    shown = said(browser.get(page("terms_changelist")))

    assert [state in shown for state in ("in force", "published, upcoming", "draft")] == [True] * 3
    assert "1,200 / 1,234" in shown


def test_the_list_costs_the_same_however_many_versions_it_shows(
    browser: Client, product: Product, django_assert_max_num_queries: Any
) -> None:
    for _ in range(10):
        make_draft(product)

    with django_assert_max_num_queries(12):
        browser.get(page("terms_changelist"))


def test_the_rows_of_other_sellers_are_invisible(
    browser: Client, draft: Terms, other_seller: Seller, make_product: Any
) -> None:
    product = make_product(other_seller, name="남의 상품")
    theirs = make_draft(product, title="남의 약관")
    subscription = subscribe(product, 77)

    lists = "".join(
        said(browser.get(page(f"{model}_changelist")))
        for model in ("seller", "product", "terms", "subscription")
    )

    for word in ("다른 가게", "남의 상품", "남의 약관", "user77@example.com"):
        assert word not in lists
    for name, pk in (
        ("seller_change", other_seller.pk),
        ("product_change", product.pk),
        ("terms_change", theirs.pk),
        ("terms_delete", theirs.pk),
        ("terms_history", theirs.pk),
        ("subscription_change", subscription.pk),
    ):
        assert browser.get(page(name, pk)).status_code == 302
    assert browser.get(page("terms_publish", theirs.pk)).status_code == 404
    assert browser.post(page("terms_publish", theirs.pk)).status_code == 404
    assert not Message.objects.exists()


def test_nothing_is_written_for_other_sellers(
    browser: Client, seller: Seller, other_seller: Seller, make_product: Any
) -> None:
    theirs = make_product(other_seller, name="남의 상품")

    browser.post(
        page("product_add"),
        {"seller": other_seller.pk, "name": "끼워넣기", "price": 1, "period_days": 30},
    )
    browser.post(
        page("terms_add"),
        {
            "product": theirs.pk,
            "title": "끼워넣기",
            "body": "제1조",
            "effective_on": in_days(9).isoformat(),
        },
    )

    assert not Product.objects.filter(name="끼워넣기").exists()
    assert not Terms.objects.filter(title="끼워넣기").exists()
    assert browser.get(f"{page('terms_add')}?product={theirs.pk}").status_code == 200


def test_staff_of_nobody_sees_nothing(draft: Terms) -> None:
    nobody = User.objects.create_user("nobody", is_staff=True)
    nobody.user_permissions.set(Permission.objects.filter(content_type__app_label="seller"))
    client = Client()
    client.force_login(nobody)

    for model in ("seller", "product", "terms", "subscription"):
        assert client.get(page(f"{model}_changelist")).status_code == 403
    assert client.post(page("terms_publish", draft.pk)).status_code == 404


def test_staff_does_not_decide_who_is_staff(
    browser: Client, seller: Seller, other_seller: Seller
) -> None:
    stranger = other_seller.staff.get()

    browser.post(
        page("seller_change", seller.pk),
        {
            "name": "모아 농장",
            "representative": "김모아",
            "phone": "02-777-7777",
            "email": "help@farm.example",
            "address": "서울시",
            "staff": [stranger.pk],
        },
    )

    seller.refresh_from_db()
    assert seller.phone == "02-777-7777"
    assert stranger not in seller.staff.all()
    assert browser.get(page("seller_add")).status_code == 403


def test_a_subscription_is_read_and_ended_but_never_written(
    browser: Client, product: Product
) -> None:
    kept, ended = subscribe(product, 1), subscribe(product, 2)

    browser.post(
        page("subscription_changelist"), {"action": "end", "_selected_action": [ended.pk]}
    )

    assert Subscription.objects.active().get() == kept
    assert browser.post(page("subscription_change", kept.pk), {"name": "x"}).status_code == 403
    assert browser.post(page("subscription_delete", kept.pk), {"post": "yes"}).status_code == 403
    assert browser.get(page("subscription_add")).status_code == 403


def test_a_subscription_is_found_by_its_whole_address(browser: Client, product: Product) -> None:
    for number in (1, 12):
        subscribe(product, number)

    def find(words: str) -> str:
        return said(browser.get(page("subscription_changelist"), {"q": words}))

    assert "user12@example.com</td>" in find("user12@EXAMPLE.com")
    assert "user12@example.com</td>" not in find("user1@example.com")
    assert "user1@example.com</td>" not in find("user1")


def test_operators_change_the_days_of_notice_but_not_the_rows(root: Client, db: None) -> None:
    root.post(page("noticeperiod_change", "ordinary"), {"days": 14})

    assert NoticePeriod.objects.get(pk="ordinary").days == 14
    assert root.get(page("noticeperiod_add")).status_code == 403
    assert root.get(page("noticeperiod_delete", "ordinary")).status_code == 403
