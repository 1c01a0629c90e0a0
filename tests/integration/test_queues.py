"""The topology at the broker."""

import pytest
from kombu import Connection

from mail.celery.queues import DEAD_QUEUE, QUEUES, establish, is_missing
from tests.harness.broker import Broker


@pytest.mark.rabbitmq
def test_a_lane_is_established_with_the_place_its_dead_tasks_go(broker: Broker):
    with Connection(broker.url) as connection:
        for _ in range(2):
            establish(connection)

        assert not any(is_missing(queue, connection) for queue in (*QUEUES, DEAD_QUEUE))


@pytest.mark.rabbitmq
def test_workers_declare_nothing(broker: Broker):
    with Connection(broker.url) as connection:
        for queue in QUEUES:
            queue(connection.default_channel).declare()

        assert all(is_missing(queue, connection) for queue in QUEUES)


def test_without_amqp_whoever_comes_first_declares():
    with Connection("memory://") as connection:
        for queue in QUEUES:
            queue(connection.default_channel).declare()

            assert connection.default_channel.queue_declare(queue.name, passive=True)
