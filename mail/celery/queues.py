"""The AMQP topology: one direct exchange, a quorum queue per lane, and a dead-letter queue.

A task carries the id of a Batch and nothing else; the rest is in the database. So a dead-lettered
task is only a signal to operators: the relay dispatches its Batch again.
"""

from typing import Any

import amqp
from kombu import Exchange, Queue
from kombu.transport.pyamqp import Transport as PyAmqp

MAIL = Exchange("mail", type="direct", durable=True)
DEAD = Exchange("mail.dead", type="direct", durable=True)

# RabbitMQ < 4 has no default delivery limit. At-least-once dead-lettering needs reject-publish.
# https://www.rabbitmq.com/docs/quorum-queues
QUORUM = {"x-queue-type": "quorum"}
WITH_DEAD_LETTERS = QUORUM | {
    "x-delivery-limit": 20,
    "x-dead-letter-exchange": DEAD.name,
    "x-dead-letter-routing-key": DEAD.name,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}

DEAD_QUEUE = Queue("mail.dead", DEAD, routing_key=DEAD.name, queue_arguments=QUORUM)


class LaneQueue(Queue):
    """A lane's queue. On an AMQP broker only the leading relay declares it, with `establish`.

    Workers declare nothing, although Celery would have them declare what they consume. When
    several clients declare one quorum queue at the same moment, RabbitMQ 3.10 can register it
    under two ids: after the node's next crash it has no leader, and its consumers hang. Besides,
    a declaration waits for every node of a cluster, even a frozen one.
    """

    def declare(self, nowait: bool = False, channel: Any = None) -> Any:
        if isinstance(channel or self.channel, amqp.Channel):
            return self.name
        return super().declare(nowait=nowait, channel=channel)


def lane_queue(name: str) -> Queue:
    return LaneQueue(name, MAIL, routing_key=name, queue_arguments=WITH_DEAD_LETTERS)


QUEUES = [lane_queue("mail.transactional"), lane_queue("mail.bulk")]


def establish(connection: Any) -> None:
    """Declare the queues that are missing, the dead-letter queue first.

    While its exchange is missing, at-least-once dead-lettering keeps dead tasks in their queue.
    """
    speaks_amqp = isinstance(connection.transport, PyAmqp)
    for queue in (DEAD_QUEUE, *QUEUES):
        if not speaks_amqp or is_missing(queue, connection):
            Queue.declare(queue(connection.default_channel))


def is_missing(queue: Queue, connection: Any) -> bool:
    """Whether the broker has no such queue; if so, RabbitMQ closes the channel of the question."""
    channel = connection.channel()
    try:
        channel.queue_declare(queue.name, passive=True)
    except amqp.NotFound:
        return True
    channel.close()
    return False
