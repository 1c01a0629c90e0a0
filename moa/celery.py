"""The Celery app. Its settings are the CELERY_* names of moa.settings."""

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import (
    setup_logging,
    task_postrun,
    task_prerun,
    worker_before_create_process,
)
from django.db import close_old_connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "moa.settings")

app = Celery("moa")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.CELERY_DB_REUSE_MAX = 10_000  # tasks; else Celery connects anew for each


@setup_logging.connect
def log_as_django_does(**_: Any) -> None:
    """Leave logging as LOGGING and LOG_LEVEL set it up; without a listener Celery would not."""


@task_prerun.connect
@task_postrun.connect
def close_what_is_old(**_: Any) -> None:
    """Close a connection that broke or is CONN_MAX_AGE old, as Django does around a request."""
    close_old_connections()


@worker_before_create_process.connect
def share_what_is_loaded(**_: Any) -> None:
    """Let a new process of the pool share all code with its parent for good.

    The garbage collector writes to every object that it looks at, and so would copy what was
    loaded before the fork into each process, sooner or later.
    """
    gc.collect()
    gc.freeze()
