"""manage.py resend_failed_mails: queue the failed mails that match the filters again."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, no_translations
from django.db.models import Count, QuerySet
from django.utils import timezone

from mail import outbox
from mail.models import Delivery
from mail.operations import resend_filter

USAGE_ERROR = 2
FILTERS = ("message", "kind", "code", "domain", "since", "until", "limit", "include_uncertain")


class Command(BaseCommand):
    help = "Queue failed mails again. Run concurrently, it still queues each mail once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--message", type=int, help="id of the message")
        parser.add_argument("--kind", help="such as payment.receipt")
        parser.add_argument("--code", help="reply code such as 550, or expired")
        parser.add_argument("--domain", help="recipients at this domain, such as example.com")
        parser.add_argument("--since", type=moment, help="failed at 2026-01-31[T12:00] or later")
        parser.add_argument("--until", type=moment, help="failed before this time")
        parser.add_argument("--limit", type=int, help="only the oldest N")
        parser.add_argument(
            "--include-uncertain",
            action="store_true",
            help="also uncertain mails, which may then arrive twice",
        )
        parser.add_argument("--dry-run", action="store_true", help="count, change nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    @no_translations
    def handle(self, *, dry_run: bool, json: bool, **options: Any) -> str:
        """Resend; return a report by code. Raises CommandError for an invalid filter."""
        filters = {name: options[name] for name in FILTERS}
        try:
            found = resend_filter.failed(**filters)
        except resend_filter.InvalidFilter as error:
            option = error.field.replace("_", "-")
            raise CommandError(f"--{option}: {error.reason}", returncode=USAGE_ERROR) from None
        by_code = _by_code(found)
        count = sum(by_code.values())
        if not dry_run:
            count = outbox.resend(found, include_uncertain=filters["include_uncertain"])
        return (_as_json if json else _as_text)(by_code, count, dry_run)


def moment(text: str) -> datetime:
    """A date or a time, in the shop's time zone unless it names its own."""
    try:
        found = datetime.fromisoformat(text)
        return found if timezone.is_aware(found) else timezone.make_aware(found)
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"{text!r} is not a time such as 2026-01-31T12:00") from None


def _by_code(found: QuerySet[Delivery]) -> dict[str, int]:
    return dict(found.order_by("code").values_list("code").annotate(Count("pk")))


def _as_json(by_code: dict[str, int], count: int, dry_run: bool) -> str:
    return json.dumps({"count": count, "by_code": by_code, "dry_run": dry_run})


def _as_text(by_code: dict[str, int], count: int, dry_run: bool) -> str:
    lines = [f"{code or 'no code':>10} {number:>10,}" for code, number in by_code.items()]
    return "\n".join([*lines, f"{count:,} {'would be' if dry_run else 'are'} queued again"])
