"""How a Celery app of any project carries mail: the queues, and what a worker needs.

A project calls `configure(app)` below the lines that make its app, see docs/standalone.md.
"""

from typing import Any

from celery import Celery
from kombu import Queue

from mail.celery import defaults, signals
from mail.celery.queues import QUEUES


def configure(app: Celery) -> None:
    """Let an app carry mail, beside its own tasks. Call it once, where the app is made.

    The app gets the queues of the lanes. Its other settings stay as the project chose them; what
    the project left open is set as a mail worker needs it, see `mail.celery.defaults`.
    """
    app.on_after_configure.connect(_complete)
    signals.connect()


def is_configured(app: Celery) -> bool:
    """Whether the app has the queues of every lane."""
    return {queue.name for queue in QUEUES} <= {queue.name for queue in app.conf.task_queues or ()}


def _complete(sender: Celery, **_: Any) -> None:
    """Complete the settings of an app as soon as it has read them."""
    conf: Any = sender.conf
    for name, value in defaults.of(conf.broker_url).items():
        if not conf.value_set_for(name):
            conf[name] = value
    conf.task_queues = [*_queues_of_the_project(conf), *QUEUES]


def _queues_of_the_project(conf: Any) -> list[Queue]:
    """Its own queues. Without any, Celery would still consume the default one; so name it."""
    lanes = {queue.name for queue in QUEUES}
    found = list(conf.task_queues or ())
    if not found and conf.task_default_queue not in lanes:
        return [Queue(conf.task_default_queue)]
    return [queue for queue in found if queue.name not in lanes]
