"""Publisher: task ids to the broker, each confirmed, each wait bounded.

With AMQP a publish is confirmed and `mandatory`: without that, RabbitMQ confirms a message for
which there is no queue, and drops it. Virtual transports (the embedded broker of files) have
neither, and need neither: a task that is lost is dispatched again.
"""

import time
from typing import Any

from celery import Task, current_app
from kombu import Connection

from mail.celery import queues

WAIT = 5.0  # seconds for a connection, a write, a confirm
AMQP_OPTIONS = {
    "confirm_publish": True,
    "read_timeout": WAIT,
    "write_timeout": WAIT,
    "max_retries": 0,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}


class BrokerUnavailable(ConnectionError):
    """The broker did not take the task within its time. It may still have it; that is harmless."""


class Publisher:
    """One connection to the broker, opened when needed, discarded after any error."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.producer: Any = None
        self.busy_since: float | None = None

    def busy_for(self) -> float:
        """Seconds since the call that is under way began; 0 when there is none."""
        since = self.busy_since
        return 0.0 if since is None else time.monotonic() - since

    def publish(self, task: Task[Any, Any], object_id: int, *, queue: str) -> None:
        """Publish a task with one id and wait until it is confirmed. Raises BrokerUnavailable."""
        self._guarded(lambda: self._publish(task, object_id, queue))

    def ready(self, queue: str) -> int:
        """How many tasks of a queue no worker has taken yet. Raises BrokerUnavailable."""
        return int(self._guarded(lambda: self._size(queue)))

    def check(self) -> None:
        """Declare the queues that are missing: somebody deleted them, or the broker lost its data.

        Workers declare none and wait for them. Raises BrokerUnavailable.
        """
        self._guarded(lambda: self._establish() if self._speaks_amqp else None)

    def close(self) -> None:
        """Drop the connection without a handshake, for which a frozen broker would not reply."""
        connection, self.connection, self.producer = self.connection, None, None
        if connection is not None:
            connection.collect()

    def _guarded(self, call: Any) -> Any:
        self.busy_since = time.monotonic()
        try:
            if self.connection is None:
                self._connect()
            return call()
        except Exception as error:
            self.close()
            raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error
        finally:
            self.busy_since = None

    def _connect(self) -> None:
        self.connection = connection = current_app.connection_for_write(connect_timeout=WAIT)
        if self._speaks_amqp:
            connection.transport_options = AMQP_OPTIONS
        others = max(0, len(connection.alt) - 1)  # a try for each node, also when one is silent
        connection.ensure_connection(max_retries=others)
        self.producer = current_app.amqp.Producer(connection.default_channel, auto_declare=False)
        self._establish()

    def _establish(self) -> None:
        queues.establish(self.connection)

    def _publish(self, task: Task[Any, Any], object_id: int, queue: str) -> None:
        checks: dict[str, Any] = {"mandatory": True, "timeout": WAIT, "confirm_timeout": WAIT}
        task.apply_async(
            (object_id,),
            producer=self.producer,
            queue=queue,
            retry=False,
            **{"declare": [], **(checks if self._speaks_amqp else {})},
        )

    def _size(self, queue: str) -> int:
        assert self.connection is not None  # noqa: S101
        channel: Any = self.connection.default_channel
        return int(channel.queue_declare(queue=queue, passive=True).message_count)

    @property
    def _speaks_amqp(self) -> bool:
        assert self.connection is not None  # noqa: S101
        return self.connection.transport.driver_type == "amqp"
