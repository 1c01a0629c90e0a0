"""A database outage does not turn living workers into dead ones."""

import threading
import time

from django.db import connection

from mail import outbox
from mail.models import Batch
from tests.harness import waiting
from tests.harness.ports import PATIENCE, wait_until
from tests.harness.processes import Processes
from tests.harness.smtp import SmtpServer
from tests.unit.mail.mails import RECEIPT, receipt


def test_i13_a_relay_whose_session_is_cut_again_and_again_rescues_nothing(
    processes: Processes, smtp: SmtpServer
):
    """I13: it must have seen the same lease expired at both ends of one unbroken session."""
    caught = smtp.on("rcpt", hold=True, times=1)
    own_name = f"{processes.environ['DATABASE_URL']}?application_name=tests-relay"
    processes.relay(DATABASE_URL=own_name)
    worker = processes.worker()
    message = outbox.send(receipt(), kind=RECEIPT)
    assert caught.reached.wait(PATIENCE)

    worker.freeze()
    rescued_during_outage = cut_sessions(seconds=8)  # four leases
    processes.worker()
    wait_until(lambda: Batch.objects.filter(rescued=True).exists(), what="the rescue")

    assert not rescued_during_outage
    assert waiting.settled(message) == {"sent": 1}
    assert len(smtp.taken) == 1


def cut_sessions(*, seconds: float) -> bool:
    """End the relay's sessions as they come, for a while; whether a Batch was rescued."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'tests-relay' AND datname = current_database()"
            )
        pause.wait(0.3)
    return Batch.objects.filter(rescued=True).exists()
