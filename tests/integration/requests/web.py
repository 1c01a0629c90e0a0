"""The shop's own web process, and a client that pays."""

import http.client
import json
import time
from collections.abc import Mapping
from contextlib import closing

from tests.harness.ports import answers, free_port, wait_until
from tests.harness.processes import Process

PATIENCE = 30  # seconds for one request, far beyond what any may take
PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "only for this run, and long enough to please the checks of Django",
    "ALLOWED_HOSTS": "127.0.0.1",
    "SECURE_SSL_REDIRECT": "false",
    "DEFAULT_FROM_EMAIL": "Moa <no-reply@moa.example>",
    "PAYMENT_SANDBOX": "true",
    "PAYMENT_WEBHOOK_SECRETS": "whsec_bW9hIHNhbmRib3gsIGZvciBkZXZlbG9wbWVudCBvbmx5",
}
"""What production must be told, servers apart."""


class Web:
    """`gunicorn moa.wsgi`, and one client that confirms payments, one after the other."""

    def __init__(self, environ: Mapping[str, str], *, token: str) -> None:
        self.port = free_port()
        bind = f"127.0.0.1:{self.port}"
        arguments = ["-m", "gunicorn", "moa.wsgi", "--bind", bind, "--workers", "2"]
        self.process = Process(*arguments, environ=environ, name="web", ready="")
        self.headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}

    def wait_ready(self) -> "Web":
        wait_until(lambda: answers(self.port), seconds=120, every=0.1, what="web")
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
