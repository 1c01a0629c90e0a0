"""The mail pages of the admin: history to read, actions, nothing to edit."""

import email
import hashlib
from datetime import timedelta
from email import policy

import django
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mail import kinds
from mail.admin.long_list import BoundedPaginator
from mail.models import Attempt, Batch, Delivery, Message, Transport
from mail.operations import actions
from tests.db.mail.rows import claim, make_user, record_broadcast, record_mail, settle

pytestmark = pytest.mark.django_db

MODELS = ("message", "delivery", "batch", "attempt", "broadcast", "transport")
VIEW = [f"view_{model}" for model in MODELS]
CHANGE = [f"change_{model}" for model in MODELS]


def client_of(user: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


@pytest.fixture
def operator() -> Client:
    return client_of(make_user("operator", *VIEW, *CHANGE, is_staff=True))


@pytest.fixture
def auditor() -> Client:
    return client_of(make_user("auditor", *VIEW, is_staff=True))


@pytest.fixture
def superuser() -> Client:
    return client_of(User.objects.create_superuser("root", "root@moa.example", "secret"))


@pytest.fixture
def news() -> Message:
    return record_broadcast("Kim", "Lee", "Park")


@pytest.fixture
def history(news: Message) -> dict[str, object]:
    """A row of each model, by its name."""
    delivery = news.deliveries.get(name="Kim")
    batch = Batch.objects.create(lane="bulk", size=1)
    attempt = Attempt.objects.create(delivery=delivery, batch=batch, outcome="failed", code="550")
    return {
        "message": news.pk,
        "delivery": delivery.pk,
        "batch": batch.pk,
        "attempt": attempt.pk,
        "broadcast": news.pk,
        "transport": "bulk",
    }


def act(client: Client, model: str, action: str, rows: object, **data: str) -> str:
    """Choose an action for rows on the list page; return the page that follows."""
    chosen = [row.pk for row in rows] if isinstance(rows, QuerySet | list) else [rows]
    answer = client.post(
        f"/admin/mail/{model}/",
        {"action": action, "_selected_action": chosen, **data},
        follow=True,
    )
    return answer.content.decode()


def notes() -> list[tuple[str, str]]:
    return list(LogEntry.objects.values_list("user__username", "change_message").order_by("pk"))


@pytest.mark.parametrize("model", MODELS)
def test_lists_and_pages_are_read(auditor: Client, history: dict[str, object], model: str):
    assert auditor.get(f"/admin/mail/{model}/").status_code == 200
    assert auditor.get(f"/admin/mail/{model}/{history[model]}/change/").status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_history_is_not_added_edited_or_deleted_by_anybody(
    superuser: Client, history: dict[str, object], model: str
):
    page = f"/admin/mail/{model}/{history[model]}"

    assert superuser.get(f"/admin/mail/{model}/add/").status_code == 403
    assert superuser.post(f"/admin/mail/{model}/add/").status_code == 403
    assert superuser.post(f"{page}/change/", {"reason": "x"}).status_code == 403
    assert superuser.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    assert "delete_selected" not in superuser.get(f"/admin/mail/{model}/").content.decode()


@pytest.mark.parametrize("model", set(MODELS) - {"message", "delivery"})
def test_staff_without_a_permission_see_nothing_of_the_machinery(model: str):
    client = client_of(make_user("staff", is_staff=True))

    assert client.get(f"/admin/mail/{model}/").status_code == 403


@pytest.mark.parametrize("model", ["message", "delivery"])
def test_staff_whom_no_mail_concerns_see_empty_lists(history: dict[str, object], model: str):
    client = client_of(make_user("staff", is_staff=True))

    page = client.get(f"/admin/mail/{model}/").content.decode()

    assert f"/admin/mail/{model}/{history[model]}/" not in page


@pytest.mark.parametrize(
    "path",
    [
        "message/{message}/body.html",
        "message/{message}/source.eml",
        "message/{message}/stored.eml",
        "delivery/{delivery}/mail.eml",
        "message/{message}/change/",
    ],
)
def test_staff_whom_a_mail_does_not_concern_find_none(history: dict[str, object], path: str):
    client = client_of(make_user("staff", is_staff=True))

    answer = client.get(f"/admin/mail/{path.format(**history)}", follow=True)

    assert answer.status_code == 404 or answer.redirect_chain == [("/admin/", 302)]


def test_the_relay_lease_is_not_shown(superuser: Client):
    assert superuser.get("/admin/mail/relaylease/").status_code == 404


def test_who_may_only_read_is_offered_no_action_and_is_refused_one(auditor: Client, news: Message):
    page = auditor.get(f"/admin/mail/message/{news.pk}/change/").content.decode()

    act(auditor, "message", "pause", news.pk)

    news.refresh_from_db()
    assert news.paused_at is None
    assert 'value="pause"' not in page


def test_a_get_changes_nothing(operator: Client, news: Message):
    operator.get("/admin/mail/message/", {"action": "pause", "_selected_action": news.pk})

    news.refresh_from_db()
    assert news.paused_at is None


def test_a_message_shows_its_progress_and_the_way_to_its_deliveries(
    operator: Client, news: Message
):
    settle(news.deliveries.filter(name="Kim"), "failed")

    page = operator.get(f"/admin/mail/message/{news.pk}/change/").content.decode()

    assert "1 / 3" in page
    assert f"/admin/mail/delivery/?message={news.pk}&amp;state=failed" in page
    assert news.sha256 in page
    assert "Dear {name}" in page


def test_pause_and_resume_are_done_and_noted(operator: Client, news: Message):
    act(operator, "message", "pause", news.pk)
    news.refresh_from_db()
    assert news.paused_at

    act(operator, "message", "resume", news.pk)
    news.refresh_from_db()
    assert news.paused_at is None

    assert notes() == [("operator", "Paused."), ("operator", "Resumed.")]
    assert "Paused." in operator.get(f"/admin/mail/message/{news.pk}/history/").content.decode()


def test_cancel_asks_first(operator: Client, news: Message):
    page = act(operator, "message", "cancel", news.pk)
    news.refresh_from_db()
    assert "Cancel permanently?" in page
    assert "News for {name}" in page
    assert news.cancelled_at is None

    act(operator, "message", "cancel", news.pk, sure="yes")
    news.refresh_from_db()
    assert news.cancelled_at
    assert notes() == [("operator", "Cancelled.")]


def test_a_cancelled_message_is_not_resumed(operator: Client, news: Message):
    actions.cancel(news, by=User.objects.get(username="operator"))

    assert "cannot be resumed" in act(operator, "message", "resume", news.pk)


def test_the_failed_of_a_message_are_resent(operator: Client, news: Message):
    settle(news.deliveries.exclude(name="Park"), "failed")

    page = act(operator, "message", "resend_failed", news.pk)

    news.refresh_from_db()
    assert "2 queued again." in page
    assert (news.queued, news.failed) == (3, 0)


def test_a_button_leads_back_to_the_page_it_stood_on(operator: Client, news: Message):
    answer = operator.post(
        "/admin/mail/message/",
        {"action": "pause", "_selected_action": news.pk, "on_page": "1"},
    )

    assert answer.url == f"/admin/mail/message/{news.pk}/change/"


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        ("in progress", {"pause", "cancel"}),
        ("paused", {"resume", "cancel"}),
        ("cancelled", set()),
        ("failed", {"resend_failed"}),
        ("sent", set()),
    ],
)
def test_only_the_buttons_that_change_something_are_offered(
    operator: Client, news: Message, state: str, offered: set[str]
):
    if state in ("failed", "sent"):
        settle(news, state)
    elif state != "in progress":
        Message.objects.update(**{f"{state}_at": timezone.now()})

    page = operator.get(f"/admin/mail/message/{news.pk}/change/").content.decode()

    verbs = ("pause", "resume", "cancel", "resend_failed")
    assert {verb for verb in verbs if f'name="action" value="{verb}"' in page} == offered


def test_html_is_served_so_that_it_can_do_nothing(operator: Client, news: Message):
    page = operator.get(f"/admin/mail/message/{news.pk}/change/").content.decode()
    body = operator.get(f"/admin/mail/message/{news.pk}/body.html")

    assert (
        f'<iframe sandbox class="mail-html" title="News for {{name}}" src="/admin/mail/message/{news.pk}/body.html">'
        in page
    )
    assert body.content.decode() == "<p>Dear {name}</p>"
    directives = body["Content-Security-Policy"].split("; ")
    assert {"sandbox", "default-src 'none'", "style-src 'unsafe-inline'", "img-src data:"} <= set(
        directives
    )
    assert body["X-Content-Type-Options"] == "nosniff"


if django.VERSION >= (6, 0):

    def test_a_page_of_the_admin_has_the_policy_of_the_settings(operator: Client):
        policy = operator.get("/admin/mail/message/")["Content-Security-Policy"]

        assert {"object-src 'none'", "frame-ancestors 'self'"} <= set(policy.split("; "))


def test_a_title_of_angle_brackets_is_text(operator: Client, news: Message):
    Message.objects.update(subject='"><script>alert(1)</script>', text="</pre><script>")

    for path in ("message/", f"message/{news.pk}/change/", "delivery/"):
        page = operator.get(f"/admin/mail/{path}").content.decode()
        assert "<script>alert(1)" not in page
        assert "</pre><script>" not in page


def test_the_source_of_a_mail_is_what_leaves(operator: Client):
    message = record_mail("a@example.com")

    source = operator.get(f"/admin/mail/message/{message.pk}/source.eml")

    assert hashlib.sha256(source.content).hexdigest() == message.sha256
    assert source["Content-Type"] == "message/rfc822"
    assert source["Content-Disposition"].startswith("attachment")


def test_the_source_of_a_broadcast_shows_placeholders_and_its_bytes_prove_it(
    operator: Client, news: Message
):
    source = operator.get(f"/admin/mail/message/{news.pk}/source.eml").content
    stored = operator.get(f"/admin/mail/message/{news.pk}/stored.eml").content

    mail = email.message_from_bytes(source, policy=policy.default)
    assert mail["Subject"] == "News for {name}"
    assert hashlib.sha256(stored).hexdigest() == news.sha256


def test_the_mail_of_one_recipient_is_exact(operator: Client, news: Message):
    kim = news.deliveries.get(name="Kim")

    source = operator.get(f"/admin/mail/delivery/{kim.pk}/mail.eml").content

    mail = email.message_from_bytes(source, policy=policy.default)
    assert (mail["To"], mail["Subject"]) == ("Kim <kim@example.com>", "News for Kim")
    assert mail["Message-ID"] == kim.message_id_header


@pytest.mark.parametrize("secret", [True, False], ids=["secret", "erased"])
def test_a_secret_or_erased_content_is_shown_to_nobody(superuser: Client, secret: bool):
    message = record_mail("a@example.com", kind=kinds.SECRET if secret else kinds.DJANGO)
    if not secret:
        Message.objects.update(erased_at=timezone.now())
    delivery = message.deliveries.get()

    for path in ("body.html", "source.eml", "stored.eml"):
        assert superuser.get(f"/admin/mail/message/{message.pk}/{path}").status_code == 404
    assert superuser.get(f"/admin/mail/delivery/{delivery.pk}/mail.eml").status_code == 404
    page = superuser.get(f"/admin/mail/message/{message.pk}/change/").content.decode()
    assert "plain words" not in page
    assert "<iframe" not in page


def found(client: Client, model: str, **query: object) -> set[object]:
    answer = client.get(f"/admin/mail/{model}/", query)
    return {row.pk for row in answer.context["cl"].result_list}


def test_a_message_is_found_by_key_number_and_message_id(operator: Client, news: Message):
    mail = record_mail("a@example.com", key="order:1")
    header = news.deliveries.first().message_id_header

    assert found(operator, "message", q="order:1") == {mail.pk}
    assert found(operator, "message", q=str(mail.pk)) == {mail.pk}
    assert found(operator, "message", q=mail.message_id) == {mail.pk}
    assert found(operator, "message", q=header) == {news.pk}
    assert found(operator, "message", q="order") == set()
    assert found(operator, "message", q="9" * 40) == set()


def test_a_delivery_is_found_by_its_exact_address_and_message_id(operator: Client, news: Message):
    kim = news.deliveries.get(name="Kim")
    mail = record_mail("kim@example.com")

    assert found(operator, "delivery", q="kim@EXAMPLE.com") == {kim.pk, mail.deliveries.get().pk}
    assert found(operator, "delivery", q="kim@example") == set()
    assert found(operator, "delivery", q=kim.message_id_header) == {kim.pk}
    assert found(operator, "delivery", q=mail.message_id) == {mail.deliveries.get().pk}


@pytest.mark.parametrize(
    ("query", "kinds_found"),
    [
        ({"kind": "mail.django"}, {"mail.django"}),
        ({"kind": "no.such\0"}, {"mail.django", "test.news"}),
        ({"lane__exact": "bulk"}, {"test.news"}),
        ({"state": "failed"}, {"test.news"}),
        ({"state": "unsettled"}, {"mail.django"}),
        ({"state": "paused"}, set()),
        ({"state": "cancelled"}, set()),
    ],
)
def test_messages_are_filtered(operator: Client, query: dict[str, str], kinds_found: set[str]):
    settle(record_broadcast("Kim"), "failed")
    record_mail("a@example.com")

    pks = found(operator, "message", **query)

    assert set(Message.objects.filter(pk__in=pks).values_list("kind", flat=True)) == kinds_found


@pytest.mark.parametrize(
    ("query", "addresses"),
    [
        ({"state": "failed"}, {"gone"}),
        ({"state": "sending"}, {"held"}),
        ({"state": "queued"}, {"kim"}),
        ({"state": "nonsense\0"}, {"gone", "held", "kim"}),
        ({"code": "550"}, {"gone"}),
        ({"code": "\0"}, {"gone", "held", "kim"}),
        ({"message": "x\0"}, {"gone", "held", "kim"}),
    ],
)
def test_deliveries_are_filtered(operator: Client, query: dict[str, str], addresses: set[str]):
    settle(record_mail("gone@example.com"), "failed", code="550")
    claim(record_mail("held@example.com"))
    message = record_broadcast("Kim")

    pks = found(operator, "delivery", **query)

    rows = Delivery.objects.filter(pk__in=pks)
    assert {row.address.partition("@")[0] for row in rows} == addresses
    assert found(operator, "delivery", message=message.pk) == {message.deliveries.get().pk}


def test_a_list_reads_no_content_and_does_not_count_the_table(
    operator: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(BoundedPaginator, "most", 2)
    record_mail(*(f"r{number}@example.com" for number in range(5)))

    for model in ("message", "delivery"):
        with CaptureQueriesContext(connection) as queries:
            page = operator.get(f"/admin/mail/{model}/").content.decode()

        sql = [query["sql"] for query in queries]
        assert not any(
            f'"mail_message"."{column}"' in one for one in sql for column in ("mime", "html")
        )
        assert all("LIMIT" in one for one in sql if "COUNT(" in one)
    assert "2+\ndeliveries" in page


def test_the_page_of_a_delivery_shows_every_attempt(operator: Client, history: dict[str, int]):
    page = operator.get(f"/admin/mail/delivery/{history['delivery']}/change/").content.decode()

    assert "kim@example.com" in page
    assert "field-outcome" in page


def test_chosen_failed_deliveries_are_resent_and_the_others_left(operator: Client, news: Message):
    settle(news.deliveries.exclude(name="Park"), "failed")
    settle(news.deliveries.filter(name="Park"), "uncertain")

    page = act(operator, "delivery", "resend_failed", news.deliveries.all())

    news.refresh_from_db()
    assert "2 queued again." in page
    assert (news.queued, news.uncertain) == (2, 1)
    assert notes() == [("operator", "Queued failed deliveries again.")]


def test_all_that_a_filter_finds_are_resent(operator: Client):
    message = record_mail(*(f"r{number}@example.com" for number in range(60)))
    settle(message, "failed")

    operator.post(
        "/admin/mail/delivery/?state=failed",
        {"action": "resend_failed", "select_across": "1", "_selected_action": "0"},
    )

    message.refresh_from_db()
    assert message.queued == 60


def test_held_deliveries_are_resent_after_a_question(operator: Client, news: Message):
    settle(news.deliveries.filter(name="Kim"), "uncertain")
    settle(news.deliveries.filter(name="Lee"), "failed")

    page = act(operator, "delivery", "resend_held", news.deliveries.all())
    assert "second copy" in page
    assert news.deliveries.get(name="Kim").state == "uncertain"

    act(operator, "delivery", "resend_held", news.deliveries.all(), sure="yes")
    assert news.deliveries.get(name="Kim").state == "queued"
    assert news.deliveries.get(name="Lee").state == "failed"


def test_uncertain_deliveries_are_marked_sent_after_a_question(operator: Client, news: Message):
    settle(news, "uncertain")
    kim = news.deliveries.get(name="Kim")

    act(operator, "delivery", "mark_sent", kim.pk)
    kim.refresh_from_db()
    assert kim.state == "uncertain"

    act(operator, "delivery", "mark_sent", kim.pk, sure="yes")
    kim.refresh_from_db()
    news.refresh_from_db()
    assert (kim.state, news.sent, news.uncertain) == ("sent", 1, 2)
    assert notes() == [("operator", "Marked uncertain deliveries as sent.")]


def test_a_lane_is_stopped_with_a_reason_until_somebody_releases_it(operator: Client):
    page = act(operator, "transport", "hold", "bulk")
    assert 'name="reason"' in page

    page = act(operator, "transport", "hold", "bulk", sure="yes", reason=" ")
    assert "required" in page
    assert Transport.objects.get(lane="bulk").held_until is None

    page = act(operator, "transport", "hold", "bulk", sure="yes", reason="wrong terms")
    bulk = Transport.objects.get(lane="bulk")
    assert bulk.held_until == actions.FAR
    assert (bulk.held_by, bulk.reason) == ("operator", "wrong terms")
    assert Transport.objects.get(lane="transactional").held_until is None
    assert "stopped until released" in page

    act(operator, "transport", "release", "bulk")
    bulk.refresh_from_db()
    assert (bulk.held_until, bulk.held_by, bulk.reason) == (None, "", "")
    assert notes() == [
        ("operator", "Stopped sending: wrong terms"),
        ("operator", "Sending again."),
    ]


def test_a_hold_of_the_breaker_is_shown_and_can_be_released(operator: Client):
    Transport.objects.filter(lane="bulk").update(
        held_until=timezone.now() + timedelta(minutes=5),
        reason="connect timed out",
        holds_in_a_row=4,
    )

    page = operator.get("/admin/mail/transport/").content.decode()
    act(operator, "transport", "release", "bulk")

    assert "connect timed out" in page
    assert Transport.objects.get(lane="bulk").holds_in_a_row == 0
