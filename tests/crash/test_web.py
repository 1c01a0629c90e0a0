"""C1 and C2: a web process that is killed around the caller's commit."""

import http.client
import json
import urllib.request
from typing import Any

import pytest
from knox.models import AuthToken

from mail.models import Message
from payment import services
from payment.models import Payment
from tests.crash import ledger
from tests.crash.processes import Point, Stage
from tests.integration import shop
from tests.servers.smtp import SmtpServer


@pytest.fixture
def payment(transactional_db: None) -> Payment:
    product = shop.make_product()
    opened, _ = services.open_payment(
        product=product,
        buyer_address="buyer@example.com",
        buyer_name="홍길동",
        amount=product.price,
    )
    return opened


@pytest.fixture
def token(transactional_db: None) -> str:
    return str(AuthToken.objects.create(shop.operator())[1])


def confirm(address: str, token: str, payment: Payment) -> dict[str, Any]:
    """Confirm the payment over HTTP, as the seller's system does; the answer."""
    request = urllib.request.Request(
        f"{address}/api/payments/{payment.pk}/confirm/",
        data=json.dumps({"payment_key": "sandbox_1", "amount": payment.amount}).encode(),
        headers={"Authorization": f"Token {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


@pytest.mark.parametrize(
    ("point", "recorded"), [("paying", 0), ("paid", 1)], ids=["C1 paying", "C2 paid"]
)
def test_i1_a_request_whose_web_process_is_killed_has_happened_or_not_and_may_be_repeated(
    point: str,
    recorded: int,
    payment: Payment,
    token: str,
    stage: Stage,
    smtp: SmtpServer,
):
    """I1, I7: C1 nothing was accepted; C2 it was, and the same request finds it."""
    at = stage.point(point)
    victim, address = stage.web(**at.environ)
    victim.wait_ready()

    cut_off(at, victim, lambda: confirm(address, token, payment))
    found = Message.objects.count()
    state = Payment.objects.get().state
    _, address = stage.web()
    stage.started[-1].wait_ready()
    answers = [confirm(address, token, payment) for _ in range(2)]
    stage.relay()
    stage.worker()
    message = Message.objects.get()

    assert found == recorded
    assert state == ("paid" if recorded else "ready")
    assert [answer["state"] for answer in answers] == ["paid", "paid"]
    assert ledger.settled(message) == [{"sent": 1}]
    assert ledger.copies(message, smtp) == {"buyer": 1}


def cut_off(at: Point, victim: Any, ask: Any) -> None:
    """Ask, kill the process that is about to answer, and see that there was no answer."""
    import threading

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
    caller.join(30)
    assert errors
