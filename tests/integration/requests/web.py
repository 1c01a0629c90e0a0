"""The shop's own web process, and a client that pays."""

import http.client
import json
import time
from collections.abc import Mapping
from contextlib import closing

from tests.harness.ports import PATIENCE, answers, wait_until
from tests.harness.processes import Processes


class Web:
    """`gunicorn moa.wsgi`, and one client that confirms payments, one after the other."""

    def __init__(self, environ: Mapping[str, str], *, token: str) -> None:
        self.process, self.port = Processes(environ).web("--workers=2")
        self.headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}

    def wait_ready(self) -> "Web":
        wait_until(lambda: answers(self.port), every=0.1, what="web")
        return self

    def confirm(self, payments: list[int], *, amount: int) -> list[float]:
        """Confirm each payment; the seconds that each request took.

        Raises AssertionError for an answer that is not 2xx, TimeoutError for none.
        """
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with closing(client):
            return [self._confirm(client, payment, amount) for payment in payments]

    def discard(self) -> str:
        return self.process.discard()

    def _confirm(self, client: http.client.HTTPConnection, payment: int, amount: int) -> float:
        body = json.dumps({"payment_key": f"sandbox_{payment}", "amount": amount})
        began = time.perf_counter()
        client.request("POST", f"/api/payments/{payment}/confirm/", body, self.headers)
        answer = client.getresponse()
        text = answer.read()
        took = time.perf_counter() - began
        assert 200 <= answer.status < 300, (answer.status, text[:500])
        return took
