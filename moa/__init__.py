"""The project: settings, URLs, the Celery app, and the configuration of this shop.

May import every app, but not `demo`, `chaos`, `bench` or tests.
"""

from moa.celery import app as celery_app

__all__ = ["celery_app"]
