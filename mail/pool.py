"""Pool: a slot that speaks SMTP needs no database connection, so few serve many slots."""

from django.db import connection


def give_back() -> None:
    """Return this slot's connection to the pool; without a pool it is kept for what follows."""
    if getattr(connection, "pool", None) and not connection.in_atomic_block:
        connection.close()
