"""manage.py resend_failed_mails"""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from mail.ledger import transitions
from mail.models import Delivery, Message
from tests.db.mail.rows import record_mail, settle
from tests.harness.ports import PATIENCE


def resend(*options: str) -> str:
    return call_command("resend_failed_mails", *options)


@pytest.fixture
def failed(db: None) -> Message:
    message = record_mail("a@example.com", "b@example.com", "c@example.org")
    rows = message.deliveries
    settle(rows.filter(address__endswith=".com"), "failed", code="550")
    settle(rows.filter(address__endswith=".org"), "failed", code="expired")
    return message


def test_failed_mails_are_queued_again_and_counted_by_code(failed: Message):
    said = resend()

    failed.refresh_from_db()
    assert (failed.queued, failed.failed) == (3, 0)
    assert said.split() == ["550", "2", "expired", "1", "3", "are", "queued", "again"]


def test_a_dry_run_counts_and_changes_nothing(failed: Message):
    said = resend("--dry-run")

    failed.refresh_from_db()
    assert failed.failed == 3
    assert said.endswith("3 would be queued again")


def test_json_is_one_object(failed: Message):
    said = json.loads(resend("--json", "--dry-run", "--code", "550"))

    assert said == {"count": 2, "by_code": {"550": 2}, "dry_run": True}


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--domain", "example.org"], 1),
        (["--code", "550", "--limit", "1"], 1),
        (["--kind", "mail.django"], 3),
        (["--since", "2026-01-01", "--until", "9000-01-01T00:00+09:00"], 3),
        (["--since", "9000-01-01"], 0),
    ],
)
def test_filters_narrow_what_is_resent(failed: Message, options: list[str], count: int):
    resend(*options)

    assert Delivery.objects.filter(state="queued").count() == count


def test_uncertain_mails_are_resent_only_when_asked(failed: Message):
    transitions.requeue(failed.deliveries.all())
    settle(failed, "uncertain")

    assert resend().endswith("0 are queued again")
    assert resend("--include-uncertain").endswith("3 are queued again")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--limit", "0"], ["--limit", "1,000,000"]),
        (["--message", "99"], ["--message", "99"]),
        (["--kind", "no.such"], ["--kind", "mail.django"]),
        (["--domain", "@"], ["--domain", "example.com"]),
        (["--since", "2026-02-01", "--until", "2026-01-01"], ["--until", "since"]),
    ],
)
def test_a_value_of_no_use_names_the_option_and_exits_with_2(
    failed: Message, options: list[str], words: list[str]
):
    with pytest.raises(CommandError) as refused:
        resend(*options)

    assert refused.value.returncode == 2
    assert all(word in str(refused.value) for word in words)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--limit", "many"), ("--since", "2026-02-30"), ("--until", "soon"), ("--message", "x")],
)
def test_a_value_that_is_none_names_the_option(option: str, value: str):
    with pytest.raises(CommandError, match=f"{option}.*{value}"):
        resend(option, value)


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_resend_each_mail_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mail.ledger.transitions.PAGE", 10)
    message = record_mail(*(f"r{number}@example.com" for number in range(100)))
    settle(message, "failed")
    together = Barrier(2, timeout=PATIENCE)

    def run() -> Any:
        together.wait()
        try:
            return json.loads(resend("--json"))["count"]
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as runs:
        counts = [run.result(PATIENCE) for run in [runs.submit(run), runs.submit(run)]]

    message.refresh_from_db()
    assert sum(counts) == 100
    assert (message.queued, message.failed) == (100, 0)
