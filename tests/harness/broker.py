"""RabbitMQ as a test sees it, through AMQP only."""

import json
from typing import Any

import amqp
from kombu import Connection

from mail.celery import queues

QUEUES = ("mail.transactional", "mail.bulk", "mail.dead")


class Broker:
    """One virtual host."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def vhost(self) -> str:
        return self.url.rpartition("/")[2]

    def ready(self, queue: str) -> int:
        """How many tasks of a queue no worker has consumed."""
        with Connection(self.url) as connection:
            return int(channel_of(connection).queue_declare(queue, passive=True).message_count)

    def make_queues(self) -> None:
        """Declare the queues as the leading relay does, for a test without one."""
        with Connection(self.url) as connection:
            queues.establish(connection)

    def delete(self, queue: str) -> None:
        """Delete a queue with its content, as somebody may do by hand."""
        with Connection(self.url) as connection:
            channel_of(connection).queue_delete(queue)

    def delete_all(self) -> None:
        """Remove all of Moa's objects from a broker that other tests have used."""
        with Connection(self.url) as connection:
            for queue in QUEUES:
                channel_of(connection).queue_delete(queue)

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """Everything in a queue: headers, properties and body; nothing is taken out."""
        found = []
        with Connection(self.url) as connection:
            channel: Any = connection.channel()
            while message := channel.basic_get(queue):
                found.append(
                    {
                        "headers": message.headers,
                        "properties": {k: str(v) for k, v in message.properties.items()},
                        "body": json.loads(message.body),
                    }
                )
            # Closing the channel without an acknowledgement returns them all.
        return found

    def has(self, queue: str) -> bool:
        try:
            self.ready(queue)
        except amqp.NotFound:
            return False
        return True


def channel_of(connection: Connection) -> Any:
    """The default channel of a connection; its type lacks AMQP's methods."""
    return connection.default_channel
