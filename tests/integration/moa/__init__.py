"""The queues as RabbitMQ has them: `python3 bin/test tests/integration/moa`."""
