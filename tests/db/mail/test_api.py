"""The API of Messages: who may do what, and the responses."""

import base64
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from mail import kinds
from mail.models import Delivery, Message
from mail.operations import access
from tests.db.mail.rows import claim, make_user, record_broadcast, record_mail, settle

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def seller_staff_see_news(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule of some app: whoever is called `seller` acts for the sender of news."""
    seen = Q(kind="test.news")
    rule = lambda user: seen if user.get_username() == "seller" else Q(pk__in=[])  # noqa: E731
    monkeypatch.setattr(access, "_rules", [rule])


@pytest.fixture
def news() -> Message:
    return record_broadcast("Kim", "Lee", "Park")


def client_of(role: str) -> APIClient:
    client = APIClient(headers={"accept-language": "en"})
    permissions = {
        "auditor": ["view_message"],
        "operator": ["view_message", "change_message"],
    }
    if role != "anonymous":
        client.force_authenticate(make_user(role, *permissions.get(role, [])))
    return client


@pytest.fixture
def operator() -> APIClient:
    return client_of("operator")


def url(message: Message | int, *rest: str) -> str:
    pk = message if isinstance(message, int) else message.pk
    return f"/api/messages/{pk}/" + "".join(f"{part}/" for part in rest)


ROLES = ("anonymous", "stranger", "seller", "auditor", "operator")
ROUTES = {
    # route: the response to each role, in the order above
    ("get", ""): (401, 404, 200, 200, 200),
    ("get", "deliveries"): (401, 404, 200, 200, 200),
    ("post", "pause"): (401, 404, 202, 403, 202),
    ("post", "resume"): (401, 404, 202, 403, 202),
    ("post", "cancel"): (401, 404, 202, 403, 202),
    ("post", "resend"): (401, 404, 200, 403, 200),
    ("put", ""): (401, 405, 405, 405, 405),
    ("patch", ""): (401, 405, 405, 405, 405),
    ("delete", ""): (401, 405, 405, 405, 405),
    ("post", ""): (401, 405, 405, 405, 405),
    ("get", "pause"): (401, 405, 405, 405, 405),
    ("post", "deliveries"): (401, 405, 405, 405, 405),
}


@pytest.mark.parametrize(
    ("method", "rest", "role", "status"),
    [
        (method, rest, role, status)
        for (method, rest), answers in ROUTES.items()
        for role, status in zip(ROLES, answers, strict=True)
    ],
)
def test_each_role_may_do_what_is_its_to_do(
    news: Message, method: str, rest: str, role: str, status: int
):
    response = getattr(client_of(role), method)(url(news, *filter(None, [rest])))

    assert response.status_code == status
    if status >= 400:
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["status"] == status


@pytest.mark.parametrize(
    ("role", "count"), [("stranger", 0), ("seller", 1), ("auditor", 2), ("operator", 2)]
)
def test_the_list_holds_what_a_role_may_see(news: Message, role: str, count: int):
    record_mail("buyer@example.com")

    listed = client_of(role).get("/api/messages/").json()["results"]

    assert len(listed) == count


def test_a_refused_role_changes_nothing(news: Message):
    for role in ("stranger", "auditor"):
        client = client_of(role)
        for verb in ("pause", "cancel", "resend"):
            client.post(url(news, verb))

    news.refresh_from_db()
    assert (news.paused_at, news.cancelled_at) == (None, None)


def test_a_message_tells_its_counts_and_progress(operator: APIClient, news: Message):
    settle(news.deliveries.filter(name="Kim"), "sent")
    settle(news.deliveries.filter(name="Lee"), "failed")

    told = operator.get(url(news)).json()

    assert told["counts"] == {
        "queued": 1,
        "sent": 1,
        "failed": 1,
        "uncertain": 0,
        "cancelled": 0,
    }
    assert (told["recipients"], told["progress"], told["expanded"]) == (3, 0.6666, True)
    assert told["sha256"] == news.sha256
    assert told["url"] == f"http://testserver{reverse('message-detail', args=[news.pk])}"
    assert told["urls"]["pause"] == f"http://testserver{url(news, 'pause')}"


def test_a_broadcast_that_is_not_expanded_says_so(operator: APIClient):
    told = operator.get(url(record_broadcast(expanded=False))).json()

    assert (told["expanded"], told["progress"]) == (False, 0.0)


def test_content_is_read_in_the_detail_only(operator: APIClient, news: Message):
    (listed,) = operator.get("/api/messages/").json()["results"]
    told = operator.get(url(news)).json()

    assert not {"text", "html", "mime"} & listed.keys()
    assert (told["text"], told["html"]) == ("Dear {name}", "<p>Dear {name}</p>")


@pytest.mark.parametrize("path", ["/api/messages/", "/api/messages/{}/deliveries/"])
def test_a_list_selects_no_content(operator: APIClient, news: Message, path: str):
    with CaptureQueriesContext(
        connection,
    ) as queries:
        operator.get(path.format(news.pk))

    for column in ("mime", "text", "html"):
        assert not any(f'"mail_message"."{column}"' in query["sql"] for query in queries)


def test_a_longer_list_costs_no_more_queries(
    operator: APIClient, django_assert_max_num_queries: DjangoAssertNumQueries
):
    record_broadcast("Kim")
    with CaptureQueriesContext(connection) as short:
        operator.get("/api/messages/")
    for _ in range(5):
        record_broadcast("Kim")

    with django_assert_max_num_queries(len(short)):
        operator.get("/api/messages/")


def test_a_secret_is_shown_to_nobody(operator: APIClient):
    told = operator.get(url(record_mail("a@example.com", kind=kinds.SECRET))).json()

    assert (told["text"], told["html"]) == (None, None)


@pytest.mark.parametrize(
    ("query", "subjects"),
    [
        ("", {"news", "mail", "keyed"}),
        ("kind=test.news", {"news"}),
        ("lane=transactional", {"mail", "keyed"}),
        ("key=order:1", {"keyed"}),
        ("paused=true", {"mail"}),
        ("paused=false", {"news", "keyed"}),
        ("cancelled=true", {"keyed"}),
        ("erased=true", set()),
        ("has=failed", {"news"}),
        ("has=uncertain", set()),
        ("kind=test.news&has=sent", set()),
    ],
)
def test_the_list_is_filtered(operator: APIClient, query: str, subjects: set[str]):
    of = {
        record_broadcast("Kim").pk: "news",
        record_mail("a@example.com").pk: "mail",
        record_mail("b@example.com", key="order:1").pk: "keyed",
    }
    settle(Delivery.objects.filter(message__kind="test.news"), "failed")
    Message.objects.filter(kind="mail.django", key=None).update(paused_at=timezone.now())
    Message.objects.filter(key="order:1").update(cancelled_at=timezone.now())

    listed = operator.get(f"/api/messages/?{query}").json()["results"]

    assert {of[message["id"]] for message in listed} == subjects


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("", "paused=maybe"),
        ("", "has=hope"),
        ("", "lane=fast"),
        ("", "kind=%00"),
        ("", "key=a%00b"),
        ("deliveries", "state=lost"),
        ("deliveries", "code=%00"),
    ],
)
def test_a_filter_value_that_fits_nothing_is_refused(
    operator: APIClient, news: Message, path: str, query: str
):
    where = url(news, path) if path else "/api/messages/"

    response = operator.get(f"{where}?{query}")

    assert response.status_code == 400
    assert response.json()["errors"][0]["path"] == query.partition("=")[0]


def test_deliveries_tell_what_became_of_each(operator: APIClient, news: Message):
    settle(news.deliveries.filter(name="Kim"), "failed", code="550", enhanced="5.1.1", reply="no")

    failed = operator.get(f"{url(news, 'deliveries')}?state=failed").json()["results"]

    kim = news.deliveries.get(name="Kim")
    assert len(failed) == 1
    assert failed[0]["address"] == "kim@example.com"
    assert (failed[0]["state"], failed[0]["code"], failed[0]["reply"]) == ("failed", "550", "no")
    assert failed[0]["message_id"] == f"<{news.uuid}.{kim.pk}@moa.example>"


def test_a_delivery_is_sending_while_its_batch_is_claimed_and_open(
    operator: APIClient, news: Message
):
    batch = claim(news)
    deliveries = url(news, "deliveries")

    assert len(operator.get(f"{deliveries}?state=sending").json()["results"]) == 3
    assert operator.get(deliveries).json()["results"][0]["state"] == "sending"
    assert operator.get(f"{deliveries}?state=queued").json()["results"] == []

    batch.closed_at = timezone.now()
    batch.save()

    assert len(operator.get(f"{deliveries}?state=queued").json()["results"]) == 3


def test_deliveries_are_paged_by_key_and_each_comes_once(operator: APIClient):
    message = record_mail(*(f"r{number}@example.com" for number in range(7)))
    page, seen = operator.get(f"{url(message, 'deliveries')}?page_size=3").json(), []
    seen += page["results"]
    while page["next"]:
        page = operator.get(page["next"]).json()
        seen += page["results"]

    pks = [row["id"] for row in seen]
    assert pks == sorted(message.deliveries.values_list("pk", flat=True), reverse=True)


def test_a_page_is_never_longer_than_500(operator: APIClient):
    message = record_mail(*(f"r{number}@example.com" for number in range(501)))

    page = operator.get(f"{url(message, 'deliveries')}?page_size=100000").json()

    assert len(page["results"]) == 500


@pytest.mark.parametrize("position", ["p=abc", "p=1%00", "o=x", "r=x", "p=-1"])
def test_a_cursor_that_was_never_made_here_is_not_found(operator: APIClient, position: str):
    cursor = base64.b64encode(position.encode()).decode()

    assert operator.get("/api/messages/", {"cursor": cursor}).status_code == 404


@pytest.mark.parametrize("cursor", ["%", "가", "cD0xMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw"])
def test_a_strange_cursor_does_no_harm(operator: APIClient, cursor: str):
    assert operator.get("/api/messages/", {"cursor": cursor}).status_code in (200, 404)


@pytest.mark.parametrize("pk", ["0", "99999999999999999999999999", "x", "-1", "%00"])
def test_a_message_that_is_not_there_is_not_found(operator: APIClient, pk: str):
    for rest in ("", "deliveries/"):
        response = operator.get(f"/api/messages/{pk}/{rest}")

        assert response.status_code == 404
        assert response.json()["code"] == "not_found"


def test_pause_and_resume_again_and_again_are_done_once(operator: APIClient, news: Message):
    for verb in ("pause", "pause", "resume", "resume"):
        response = operator.post(url(news, verb))
        assert response.status_code == 202
        assert (response.json()["paused_at"] is not None) == (verb == "pause")

    noted = LogEntry.objects.filter(object_id=news.pk).values_list(
        "user__username", "change_message"
    )
    assert set(noted) == {("operator", "Paused."), ("operator", "Resumed.")}
    assert len(noted) == 2


def test_a_cancelled_message_is_not_resumed(operator: APIClient, news: Message):
    operator.post(url(news, "cancel"))

    response = operator.post(url(news, "resume"))

    assert response.status_code == 409
    assert response.json()["code"] == "not_resumable"


def test_a_resend_queues_the_failed_and_finds_none_the_second_time(
    operator: APIClient, news: Message
):
    settle(news, "failed", code="550")

    first = operator.post(url(news, "resend"))
    second = operator.post(url(news, "resend"))

    assert (first.status_code, first.json(), second.json()) == (200, {"resent": 3}, {"resent": 0})
    assert news.deliveries.filter(state="queued").count() == 3


@pytest.mark.parametrize(
    ("filters", "resent"),
    [
        ({"code": "550"}, 2),
        ({"code": "452"}, 0),
        ({"domain": "example.com", "limit": 1}, 1),
        ({"since": "2020-01-01T00:00:00Z"}, 2),
        ({"until": "2020-01-01T00:00:00+09:00"}, 0),
        ({"include_uncertain": True}, 3),
    ],
)
def test_a_resend_takes_filters(
    operator: APIClient, news: Message, filters: dict[str, Any], resent: int
):
    settle(news.deliveries.exclude(name="Park"), "failed", code="550")
    settle(news.deliveries.filter(name="Park"), "uncertain")

    assert operator.post(url(news, "resend"), filters).json() == {"resent": resent}


@pytest.mark.parametrize(
    ("filters", "path"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"limit": 10**30}, "limit"),
        ({"domain": "@@"}, "domain"),
        ({"since": "yesterday"}, "since"),
        ({"since": 5}, "since"),
        ({"since": "0001-01-01T00:00:00Z"}, "since"),
        ({"code": []}, "code"),
        ({"include_uncertain": "perhaps"}, "include_uncertain"),
        ({"domian": "example.com"}, "domian"),
        ({"message": 1}, "message"),
        ([1], ""),
        ("all", ""),
    ],
)
def test_a_resend_filter_of_no_use_is_refused_and_nothing_is_resent(
    operator: APIClient, news: Message, filters: Any, path: str
):
    settle(news, "failed")

    response = operator.post(url(news, "resend"), filters)

    assert response.status_code == 400
    assert response.json()["code"] == "invalid"
    assert [error["path"] for error in response.json()["errors"]] == [path]
    assert news.deliveries.filter(state="failed").count() == 3


def test_only_this_message_is_resent(operator: APIClient, news: Message):
    other = record_mail("a@example.com")
    settle(other, "failed")
    settle(news, "failed")

    operator.post(url(news, "resend"))

    assert other.deliveries.get().state == "failed"
