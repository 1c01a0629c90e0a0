"""The steps of the README in a browser: log in, view a draft, publish it, follow its mails."""

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from playwright.sync_api import Page, expect

from mail.models import Message
from seller.models import Terms

pytestmark = [
    pytest.mark.browser,
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
]


def test_an_administrator_publishes_terms_and_follows_the_broadcast(page: Page, live_server):
    call_command("sample_data", subscribers=5, verbosity=0)
    get_user_model().objects.create_superuser("admin", password="admin-moa")
    draft = Terms.objects.drafts().filter(product__subscriptions__isnull=False).distinct().get()

    page.goto(f"{live_server.url}/admin/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", "admin-moa")
    page.click("[type=submit]")
    page.goto(f"{live_server.url}/admin/seller/terms/{draft.pk}/change/")
    page.get_by_text("미리보기 및 게시").click()
    preview = page.frame_locator("iframe")
    expect(preview.get_by_text("약관이 바뀝니다").first).to_be_visible()
    page.get_by_text("게시하고 구독자에게 알리기").click()
    expect(page.locator(".messagelist .success")).to_be_visible()

    draft.refresh_from_db()
    message = Message.objects.get()
    assert draft.is_published
    assert draft.message_id == message.pk

    page.goto(f"{live_server.url}/admin/mail/message/{message.pk}/change/")
    expect(page.frame_locator("iframe").get_by_text("신구조문 대비표")).to_be_visible()
    page.get_by_text("일시 중지").first.click()
    expect(page.locator(".messagelist")).to_be_visible()
    message.refresh_from_db()
    assert message.paused_at
