import json

import pytest
from django.contrib.auth.models import User

from demo.catcher.models import CapturedMail, FaultRules

pytestmark = pytest.mark.django_db

INBOX = "/admin/catcher/capturedmail/"
HTML = (
    "Subject: 약관\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<b>안녕</b><script>x</script>"
)
TEXT = (
    "Subject: 영수증\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhttps://moa.example/1\r\n"
)


def caught(recipient: str, subject: str = "약관", raw: str = HTML) -> CapturedMail:
    content = raw.encode()
    return CapturedMail.objects.create(
        sender="no-reply@moa.example",
        recipient=recipient,
        subject=subject,
        size=len(content),
        raw=content,
    )


@pytest.fixture
def staff_client(client):
    """Somebody who works in the admin and has nothing to do with caught mail."""
    client.force_login(User.objects.create_user("staff", is_staff=True))
    return client


def test_the_newest_mail_comes_first(admin_client):
    for number in range(3):
        caught(f"reader{number}@x.example")

    page = admin_client.get(INBOX).content.decode()

    assert page.index("reader2@") < page.index("reader1@") < page.index("reader0@")


@pytest.mark.parametrize("query", ["anna", "영수"])
def test_mails_are_found_by_recipient_and_by_subject(admin_client, query):
    caught("anna@x.example", "영수증")
    caught("ben@x.example", "약관")

    page = admin_client.get(INBOX, {"q": query}).content.decode()

    assert "anna@x.example" in page
    assert "ben@x.example" not in page


def test_an_empty_inbox_says_what_to_do(admin_client):
    assert "inbox-empty" in admin_client.get(INBOX).content.decode()


def test_the_page_tells_the_fault_rules(admin_client):
    page = admin_client.get(INBOX).content.decode()

    assert "bounce+550-5.1.1@" in page
    assert "late+3@" in page


def test_a_mail_is_shown_in_a_frame_that_may_do_nothing(admin_client):
    mail = caught("anna@x.example")

    page = admin_client.get(f"{INBOX}{mail.pk}/change/").content.decode()
    body = admin_client.get(f"{INBOX}{mail.pk}/body.html")

    assert 'sandbox=""' in page
    assert "<script>x</script>" not in page
    assert body.content.decode() == "<b>안녕</b><script>x</script>"
    policy = body["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none';")
    assert "script" not in policy


@pytest.mark.parametrize("show", ["html", "text", "headers", "source", "nonsense"])
def test_each_tab_opens(admin_client, show):
    mail = caught("anna@x.example")

    assert admin_client.get(f"{INBOX}{mail.pk}/change/", {"show": show}).status_code == 200


def test_links_in_a_text_can_be_followed(admin_client):
    mail = caught("anna@x.example", raw=TEXT)

    page = admin_client.get(f"{INBOX}{mail.pk}/change/").content.decode()

    assert 'href="https://moa.example/1"' in page


def test_the_source_is_the_bytes_that_came(admin_client):
    mail = caught("anna@x.example")

    answer = admin_client.get(f"{INBOX}{mail.pk}/mail.eml")

    assert answer.content == HTML.encode()
    assert answer["Content-Type"] == "message/rfc822"
    assert "attachment" in answer["Content-Disposition"]


def test_older_and_newer_mails_are_one_click_away(admin_client):
    first, second, third = (caught(f"reader{number}@x.example") for number in range(3))

    page = admin_client.get(f"{INBOX}{second.pk}/change/").content.decode()

    assert f"{INBOX}{first.pk}/change/" in page
    assert f"{INBOX}{third.pk}/change/" in page


def test_clearing_takes_a_post(admin_client):
    caught("anna@x.example")

    assert admin_client.get(f"{INBOX}clear/").status_code == 405
    assert CapturedMail.objects.count() == 1
    admin_client.post(f"{INBOX}clear/")
    assert CapturedMail.objects.count() == 0


def test_fault_rules_are_switched_off_and_on(admin_client):
    admin_client.post(f"{INBOX}rules/", {"followed": "off"})
    assert not FaultRules.are_followed()

    admin_client.post(f"{INBOX}rules/", {"followed": "on"})
    assert FaultRules.are_followed()


def test_the_list_is_also_told_as_json_in_pages(admin_client):
    first, second, third = (caught(f"reader{number}@x.example") for number in range(3))
    other = caught("anna@x.example", "영수증")

    answer = admin_client.get(f"{INBOX}inbox.json", {"q": "reader", "after": first.pk, "limit": 1})

    told = json.loads(answer.content)
    assert [mail["id"] for mail in told["mails"]] == [second.pk]
    assert told["newest"] == other.pk
    assert third.pk not in [mail["id"] for mail in told["mails"]]


@pytest.mark.parametrize("page", ["", "inbox.json", "1/change/", "1/body.html", "1/mail.eml"])
def test_nobody_reads_mail_without_the_right_to(staff_client, page):
    CapturedMail.objects.create(pk=1, recipient="anna@x.example", size=1, raw=HTML.encode())

    answer = staff_client.get(INBOX + page)

    assert answer.status_code in (302, 403)
    assert "안녕" not in answer.content.decode()


def test_nobody_clears_or_switches_without_the_right_to(staff_client):
    caught("anna@x.example")

    staff_client.post(f"{INBOX}clear/")
    staff_client.post(f"{INBOX}rules/", {"followed": "off"})

    assert CapturedMail.objects.count() == 1
    assert FaultRules.are_followed()


def test_a_mail_that_is_gone_leads_back_to_the_inbox(admin_client):
    answer = admin_client.get(f"{INBOX}999/change/")

    assert (answer.status_code, answer["Location"]) == (302, INBOX)
