"""C1 and C2: a web process that is killed around the caller's commit."""

import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from mail.models import Message
from payment.models import Payment
from tests.crash.processes import Point, Stage
from tests.harness import ledger
from tests.harness.ports import PATIENCE
from tests.harness.postgresql import PostgreSQL
from tests.harness.processes import SHOP
from tests.harness.smtp import SmtpServer

Confirm = Callable[[int], dict[str, Any]]


@pytest.mark.parametrize(
    ("point", "recorded"), [("paying", 0), ("paid", 1)], ids=["C1 paying", "C2 paid"]
)
def test_i1_a_request_whose_web_process_is_killed_has_happened_or_not_and_may_be_repeated(
    point: str,
    recorded: int,
    confirm: Confirm,
    stage: Stage,
    smtp: SmtpServer,
):
    """I1, I7: C1 nothing was accepted; C2 it was, and the same request finds it."""
    at = stage.point(point)
    victim, port = stage.web(**at.environ)
    victim.wait_ready()

    cut_off(at, victim, lambda: confirm(port))
    found = Message.objects.count()
    state = Payment.objects.get().state
    _, port = stage.web()
    stage.started[-1].wait_ready()
    answers = [confirm(port) for _ in range(2)]
    stage.relay()
    stage.worker()
    message = Message.objects.get()

    assert found == recorded
    assert state == ("paid" if recorded else "ready")
    assert [answer["state"] for answer in answers] == ["paid", "paid"]
    assert ledger.settled(message) == [{"sent": 1}]
    assert ledger.copies(message, smtp) == {"buyer": 1}


def test_while_the_database_is_unavailable_a_request_is_refused_and_may_be_repeated(
    stage_on_own_database: Stage, own_database: PostgreSQL, confirm: Confirm
):
    """503 for programs and people, no 500; the same process answers again afterwards."""
    web, port = stage_on_own_database.web(**SHOP, DEBUG="false")
    web.wait_ready()
    browser = urllib.request.Request(
        f"http://127.0.0.1:{port}/admin/", headers={"Cookie": f"sessionid={32 * 'a'}"}
    )
    answers = [confirm(port)["state"]]

    own_database.stop()
    refusals = [refused(lambda: confirm(port)) for _ in range(2)]
    page = refused(lambda: urllib.request.urlopen(browser, timeout=PATIENCE))
    own_database.start()
    connection.close()
    answers.append(confirm(port)["state"])

    assert answers == ["paid", "paid"]
    assert [json.loads(body)["code"] for body in refusals] == ["database_unavailable"] * 2
    assert page.startswith("<!doctype html>")
    assert web.output().count("The database is unavailable") == 3
    assert "Traceback" not in web.output()


def refused(ask: Callable[[], Any]) -> str:
    """The body of an answer that must be 503."""
    with pytest.raises(urllib.error.HTTPError) as error:
        ask()
    with error.value as answer:
        assert answer.status == 503
        return answer.read().decode()


def cut_off(at: Point, victim: Any, ask: Any) -> None:
    """Ask, kill the process that is about to answer, and see that there was no answer."""
    errors: list[BaseException] = []

    def call() -> None:
        try:
            ask()
        except (OSError, http.client.HTTPException) as error:
            errors.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    at.wait()
    victim.kill()
    caller.join(PATIENCE)
    assert errors
