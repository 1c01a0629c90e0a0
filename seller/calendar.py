"""The calendar in which notice periods are counted."""

from datetime import date
from zoneinfo import ZoneInfo

from django.utils import timezone

SEOUL = ZoneInfo("Asia/Seoul")


def today() -> date:
    """The date in Korea, whatever time zone is active."""
    return timezone.localdate(timezone=SEOUL)
