"""The Celery wiring for any project: the mail queues, and what a worker needs.

A project calls `configure(app)` right after creating its app, see docs/standalone.md. This package
imports nothing else of `mail`.
"""

from typing import Any

from celery import Celery
from kombu import Queue

from mail.celery import defaults, signals
from mail.celery.queues import QUEUES


def configure(app: Celery) -> None:
    """Set an app up to carry mail beside its own tasks. Call it once, where the app is created.

    The app gets the queues of the lanes. Settings that the project chose stay; those it left
    unset get the values of `mail.celery.defaults`.
    """
    app.on_after_configure.connect(_complete)
    signals.connect()


def is_configured(app: Celery) -> bool:
    """Whether the app has the queues of every lane."""
    return {queue.name for queue in QUEUES} <= {queue.name for queue in app.conf.task_queues or ()}


def _complete(sender: Celery, **_: Any) -> None:
    """Fill in the settings of an app as soon as it has read them."""
    conf: Any = sender.conf
    for name, value in defaults.of(conf.broker_url).items():
        if not conf.value_set_for(name):
            conf[name] = value
    conf.task_queues = [*_queues_of_the_project(conf), *QUEUES]


def _queues_of_the_project(conf: Any) -> list[Queue]:
    """Its own queues; without any, the default queue, which Celery then consumes."""
    lanes = {queue.name for queue in QUEUES}
    found = list(conf.task_queues or ())
    if not found and conf.task_default_queue not in lanes:
        return [Queue(conf.task_default_queue)]
    return [queue for queue in found if queue.name not in lanes]
