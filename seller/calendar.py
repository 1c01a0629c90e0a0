"""The calendar that periods of notice are counted in."""

from datetime import date
from zoneinfo import ZoneInfo

from django.utils import timezone

SEOUL = ZoneInfo("Asia/Seoul")


def today() -> date:
    """The date in Korea, whatever time zone is active."""
    return timezone.localdate(timezone=SEOUL)
