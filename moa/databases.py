"""Databases: the options for the one in DATABASE_URL."""

from typing import Any

Config = dict[str, Any]

SQLITE = {
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}
# A server that disappeared silently is noticed within 25 seconds, not after hours.
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
POSTGRESQL = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}


def configured(config: Config, *, pool: int) -> Config:
    """A database from its URL, with the options that Moa uses.

    Each thread keeps its connection to PostgreSQL or, with a `pool` of that size, shares those of
    its process.
    """
    if config["ENGINE"] == "django.db.backends.sqlite3":
        return config | {"OPTIONS": SQLITE}
    options: Config = POSTGRESQL | config.get("OPTIONS", {})
    if pool:
        options["pool"] = {"min_size": 0, "max_size": pool, "timeout": 10, "reconnect_timeout": 5}
    return config | {
        "CONN_MAX_AGE": 0 if pool else 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }
