"""The consumer of a mail worker, so that `celery worker` needs no further options.

It relies on Celery internals: the names of the consumer's steps, its constructor and
`ensure_connected`. No other module does.
"""

from functools import partial
from typing import Any, ClassVar

from celery.worker.consumer import Consumer as CeleryConsumer

RECONNECT = {"interval_start": 1, "interval_step": 1, "interval_max": 3}  # seconds
WITHOUT = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}


class Consumer(CeleryConsumer):
    """Celery's consumer without the steps that a mail worker does not need and that can hang.

    Gossip, mingle and event heartbeats let workers talk to each other through the broker; if a
    broker node freezes, their second connection never closes. Delayed delivery is for countdowns
    and ETAs, of which Moa publishes none (the retry clock is `due_at`); no setting turns it off.
    """

    class Blueprint(CeleryConsumer.Blueprint):  # type: ignore[misc, valid-type]
        default_steps: ClassVar[list[str]] = [
            step
            for step in CeleryConsumer.Blueprint.default_steps
            if "delayed_delivery" not in str(step)
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        options = (kwargs.pop("worker_options", None) or {}) | WITHOUT
        super().__init__(*args, worker_options=options, **kwargs)  # type: ignore[misc]

    def ensure_connected(self, conn: Any) -> Any:
        """Connect, retrying every few seconds for as long as it takes.

        Celery waits two seconds longer after each try, up to half a minute, so a worker would
        come back long after the broker. There is no setting for it.
        """
        conn.ensure_connection = partial(conn.ensure_connection, **RECONNECT)
        return super().ensure_connected(conn)
