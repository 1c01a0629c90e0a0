"""What is outside the shop and may fail: a broker and an SMTP server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.harness.rabbitmq import RabbitMQ
from tests.harness.smtp_process import SmtpProcess


@contextmanager
def broker_stopped(broker: RabbitMQ, _: SmtpProcess) -> Iterator[None]:
    broker.stop()
    try:
        yield
    finally:
        broker.start()


@contextmanager
def broker_frozen(broker: RabbitMQ, _: SmtpProcess) -> Iterator[None]:
    broker.freeze()
    try:
        yield
    finally:
        broker.thaw()


@contextmanager
def broker_in_memory_alarm(broker: RabbitMQ, _: SmtpProcess) -> Iterator[None]:
    broker.ctl("set_vm_memory_high_watermark", "0")
    try:
        yield
    finally:
        broker.alarm(on=False)


@contextmanager
def smtp_frozen(_: RabbitMQ, smtp: SmtpProcess) -> Iterator[None]:
    smtp.freeze()
    try:
        yield
    finally:
        smtp.thaw()


FAULTS: dict[str, Callable] = {
    "RabbitMQ stopped": broker_stopped,
    "RabbitMQ frozen": broker_frozen,
    "RabbitMQ in memory alarm": broker_in_memory_alarm,
    "SMTP server frozen": smtp_frozen,
}
