"""The AMQP topology: one direct exchange, a quorum queue per lane, and where dead tasks go.

A task carries the id of a Batch and nothing else; the database knows the rest. So a dead-lettered
task is only a signal for operators: the relay dispatches its Batch again.
"""

from typing import Any

from kombu import Exchange, Queue

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
    """A lane's queue. Whoever declares it declares first where its dead tasks go.

    To a missing exchange nothing is dead-lettered, and at least once means: kept until it can be.
    """

    def declare(self, nowait: bool = False, channel: Any = None) -> Any:
        DEAD_QUEUE(channel or self.channel).declare(nowait=nowait)
        return super().declare(nowait=nowait, channel=channel)


def lane_queue(name: str) -> Queue:
    return LaneQueue(name, MAIL, routing_key=name, queue_arguments=WITH_DEAD_LETTERS)


QUEUES = [lane_queue("mail.transactional"), lane_queue("mail.bulk")]
