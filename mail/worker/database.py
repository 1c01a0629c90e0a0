"""Pool: a slot that speaks SMTP needs no database connection, so few serve many slots."""

from functools import cache

from django.conf import settings
from django.db import connection


def give_back() -> None:
    """Return this slot's connection to the pool; without a pool it is kept for what follows."""
    if _is_pooled() and not connection.in_atomic_block:
        connection.close()


@cache
def _is_pooled() -> bool:
    return "pool" in settings.DATABASES["default"].get("OPTIONS", {})
