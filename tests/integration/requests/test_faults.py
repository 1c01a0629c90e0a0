"""While broker or SMTP server fail, the shop takes payments; afterwards every receipt leaves.

How long the requests take is measured by `python -m tests.integration.requests.latency`; no time is asserted
here but that every request is answered.
"""

from collections.abc import Iterator

import pytest

from mail.models import Delivery
from tests.harness import shop
from tests.harness.ports import wait_until
from tests.harness.processes import Processes
from tests.harness.rabbitmq import RabbitMQ
from tests.harness.smtp_process import SmtpProcess
from tests.integration.conftest import (  # noqa: F401
    broker,
    environ,
    processes,
    spare_vhosts,
)
from tests.integration.requests.outside import FAULTS
from tests.integration.requests.web import Web

pytestmark = [pytest.mark.rabbitmq, pytest.mark.django_db(transaction=True)]

EACH = 50


@pytest.fixture
def smtp_process() -> Iterator[SmtpProcess]:
    with SmtpProcess() as server:
        yield server


def test_whatever_fails_payments_are_taken_and_every_receipt_leaves_by_itself(
    processes: Processes,  # noqa: F811
    rabbitmq: RabbitMQ,
    smtp_process: SmtpProcess,
):
    processes.environ["EMAIL_URL"] = smtp_process.url
    product = shop.make_product()
    token = shop.token_for(product)
    web = Web(processes.environ, token=token)
    try:
        processes.relay().wait_ready()
        processes.worker().wait_ready()
        web.wait_ready()
        for number, fault in enumerate(FAULTS.values(), start=1):
            with fault(rabbitmq, smtp_process):
                web.confirm(shop.open_payments(product, EACH), amount=product.price)
            smtp_process.wait_for_recipients(number * EACH)
    finally:
        print(web.discard())  # noqa: T201

    sent = Delivery.objects.filter(state="sent")
    wait_until(lambda: sent.count() == len(FAULTS) * EACH, what="the record of the last mails")
    assert (smtp_process.count, len(smtp_process.recipients())) == (len(FAULTS) * EACH,) * 2
