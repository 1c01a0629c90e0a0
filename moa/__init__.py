"""The project: settings, URLs, the Celery app, and what only this shop configures.

It may import every app, and no `demo`, `chaos`, `bench` or test.
"""

from moa.celery import app as celery_app

__all__ = ["celery_app"]
