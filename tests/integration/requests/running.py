"""The whole shop on private servers, for a command: web, relay, a worker, and who pays."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.report import PACKAGES, commit
from tests.harness.postgresql import PostgreSQL
from tests.harness.processes import Processes, production
from tests.harness.rabbitmq import RabbitMQ
from tests.harness.smtp_process import SmtpProcess
from tests.integration.requests.web import Web

__all__ = ["PACKAGES", "Shop", "commit", "start"]

PATIENCE = 600  # seconds for all receipts to leave


@dataclass
class Shop:
    """A running shop, seen from outside, and its lanes."""

    database: PostgreSQL
    broker: RabbitMQ
    smtp: SmtpProcess
    web: Web
    product: Any
    confirmed: int = 0

    def confirm(self, count: int) -> list[float]:
        """Open so many payments and confirm each over HTTP; the seconds of each confirmation."""
        from tests.harness.shop import open_payments

        self.confirmed += count
        return self.web.confirm(open_payments(self.product, count), amount=self.product.price)

    def wait_for_receipts(self) -> float:
        """Wait until every buyer has one; the seconds it took."""
        began = time.monotonic()
        self.smtp.wait_for_recipients(self.confirmed, seconds=PATIENCE)
        return time.monotonic() - began

    def hold(self) -> None:
        """Stop sending, as an operator does."""
        from mail.models import Transport
        from mail.operations import actions

        Transport.objects.update(held_until=actions.FAR)

    def release(self) -> None:
        from mail.models import Transport

        Transport.objects.update(held_until=None)


def start(stack: contextlib.ExitStack, say: Callable[[str], None]) -> Shop:
    """Everything; this process then has the same settings as the others."""
    say("starting PostgreSQL, RabbitMQ, web, relay, worker …")
    folder = tempfile.mkdtemp(prefix="moa-latency-")
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    database, broker = PostgreSQL(), RabbitMQ()
    stack.callback(database.discard)
    stack.callback(broker.discard)
    database.start()
    broker.start()
    smtp = stack.enter_context(SmtpProcess())
    environ = production(
        database_url=database.url(),
        broker_url=broker.url(),
        email_url=smtp.url,
        folder=Path(folder),
    ) | {"LOG_LEVEL": "WARNING"}
    os.environ.update(environ)
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from tests.harness.shop import make_product, token_for

    processes = Processes(environ)
    stack.callback(processes.discard)
    processes.relay(LOG_LEVEL="INFO").wait_ready()
    processes.worker("-c", "1", LOG_LEVEL="INFO").wait_ready()
    product = make_product()
    web = Web(environ, token=token_for(product))
    stack.callback(web.discard)
    return Shop(database, broker, smtp, web.wait_ready(), product)
