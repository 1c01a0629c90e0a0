"""The Celery app. Its settings are the CELERY_* names of moa.settings."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

from mail.celery import configure

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "moa.settings")

app = Celery("moa")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
configure(app)


@setup_logging.connect
def log_as_django_does(**_: Any) -> None:
    """Keep the logging of LOGGING and LOG_LEVEL; without a listener Celery replaces it."""
