"""A client that confirms payments, one after the other, on one connection."""

import http.client
import json
import time
from collections.abc import Iterable


class Client:
    """Confirms payments at one web server."""

    def __init__(self, port: int, *, token: str, price: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
        self.price = price

    def confirm(self, payments: Iterable[int]) -> list[float]:
        """Confirm payments; return the seconds of each request without connecting.

        Raises AssertionError for any answer but 200.
        """
        self.connection.close()
        self.connection.connect()
        return [self._confirm(payment) for payment in payments]

    def _confirm(self, payment: int) -> float:
        body = json.dumps({"payment_key": f"sandbox_{payment}", "amount": self.price})
        began = time.perf_counter()
        self.connection.request("POST", f"/api/payments/{payment}/confirm/", body, self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        took = time.perf_counter() - began
        assert answer.status == 200, (answer.status, text[:500])  # noqa: S101
        return took
