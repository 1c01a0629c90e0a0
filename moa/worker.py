"""The Celery consumer as Moa runs it."""

from typing import ClassVar

from celery.worker.consumer import Consumer as CeleryConsumer


class Consumer(CeleryConsumer):
    """Celery's consumer without the delayed-delivery step.

    Moa publishes no countdown and no ETA (the retry clock is `due_at`), and that step, which no
    setting turns off, holds a reconnecting worker for as long as one broker node is unreachable.
    """

    class Blueprint(CeleryConsumer.Blueprint):  # type: ignore[misc, valid-type]
        default_steps: ClassVar[list[str]] = [
            step
            for step in CeleryConsumer.Blueprint.default_steps
            if "delayed_delivery" not in str(step)
        ]
