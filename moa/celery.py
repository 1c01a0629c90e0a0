"""The Celery app. Its settings are the CELERY_* names of moa.settings."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "moa.settings")

app = Celery("moa")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
