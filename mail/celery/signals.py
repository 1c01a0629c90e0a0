"""What a worker does around its start and its tasks."""

import gc
from typing import Any

from celery.signals import task_postrun, task_prerun, worker_before_create_process, worker_init
from django.core.checks import run_checks
from django.db import close_old_connections


def connect() -> None:
    """Let every worker of this process do so; calling it again changes nothing."""
    worker_init.connect(refuse_bad_settings)
    task_prerun.connect(close_old)
    task_postrun.connect(close_old)
    worker_before_create_process.connect(share_what_is_loaded)


def refuse_bad_settings(**_: Any) -> None:
    """End a worker that could not deliver, as management commands do; Celery ignores the checks.

    Raises SystemExit with what is wrong and what to set.
    """
    found = run_checks(tags=["mail"])
    serious = [one for one in found if one.is_serious() and not one.is_silenced()]
    if serious:
        raise SystemExit("\n".join(str(one) for one in serious))


def close_old(**_: Any) -> None:
    """Close a connection that broke or is CONN_MAX_AGE old, as Django does around a request."""
    close_old_connections()


def share_what_is_loaded(**_: Any) -> None:
    """Let a new process of the pool share all code with its parent for good.

    The garbage collector writes to every object that it looks at, and so would copy what was
    loaded before the fork into each process, sooner or later.
    """
    gc.collect()
    gc.freeze()
