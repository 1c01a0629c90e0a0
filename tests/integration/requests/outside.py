"""What is outside the shop and may fail: a broker, and an SMTP server that is a process."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Self

from tests.harness.ports import wait_until
from tests.harness.rabbitmq import RabbitMQ
from tests.harness.smtp import SmtpServer


class SmtpProcess:
    """The scripted SMTP server in a process of its own, so that it can be frozen."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=[theirs], daemon=True)

    def __enter__(self) -> Self:
        self.process.start()
        self.port = self.pipe.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.join()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def recipients(self) -> tuple[int, int]:
        """How many copies were taken, and how many different recipients have one."""
        self.pipe.send(None)
        copies, different = self.pipe.recv()
        return copies, different

    def freeze(self) -> None:
        os.kill(self.process.pid or 0, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.process.pid or 0, signal.SIGCONT)

    def wait_for(self, recipients: int, *, seconds: float = 120) -> None:
        """Wait until so many different recipients have their mail."""
        wait_until(
            lambda: self.recipients()[1] >= recipients,
            seconds=seconds,
            every=0.1,
            what=f"mail for {recipients} recipients",
        )


def _serve(pipe: Connection) -> None:
    with SmtpServer(keeps_raw=False) as server:
        pipe.send(server.port)
        while True:
            pipe.recv()
            found = server.recipients()
            pipe.send((found.total(), len(found)))


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
