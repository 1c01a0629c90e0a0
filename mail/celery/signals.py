"""What a worker does at its start and around each task."""

import gc
from typing import Any

from celery.signals import task_postrun, task_prerun, worker_before_create_process, worker_init
from django.core.checks import run_checks
from django.db import close_old_connections


def connect() -> None:
    """Connect the handlers; calling it again changes nothing."""
    worker_init.connect(refuse_bad_settings)
    task_prerun.connect(close_old)
    task_postrun.connect(close_old)
    worker_before_create_process.connect(share_what_is_loaded)


def refuse_bad_settings(**_: Any) -> None:
    """Stop a worker that could not deliver. Celery runs no system checks at its start.

    Raises SystemExit with each error and its hint.
    """
    found = run_checks(tags=["mail"])
    serious = [one for one in found if one.is_serious() and not one.is_silenced()]
    if serious:
        raise SystemExit("\n".join(str(one) for one in serious))


def close_old(**_: Any) -> None:
    """Close a connection that broke or is CONN_MAX_AGE old, as Django does around a request."""
    close_old_connections()


def share_what_is_loaded(**_: Any) -> None:
    """Keep what is loaded before the fork in memory that the pool's processes share.

    The garbage collector writes to every object it visits, and so would sooner or later copy that
    memory into each process.
    """
    gc.collect()
    gc.freeze()
