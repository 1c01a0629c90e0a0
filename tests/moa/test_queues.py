"""The topology at the broker."""

from kombu import Connection

from moa.queues import QUEUES


def test_who_declares_a_lane_declares_where_its_dead_tasks_go():
    with Connection("memory://") as connection:
        channel = connection.default_channel

        for queue in QUEUES:
            queue(channel).declare()

        exchange, key, args = "mail.dead", "mail.dead", None
        assert channel.queue_declare("mail.dead", passive=True).queue == "mail.dead"
        assert channel.typeof(exchange).lookup(channel.get_table(exchange), exchange, key, args)
