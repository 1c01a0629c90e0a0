"""The load: clients that buy, publish changes of terms and leave notes, over HTTP.

A client repeats a request that got no response, with the same order number or key, until it is
acknowledged. Some give up at the first error, as people do; their request may have succeeded.
"""

import http.client
import json
import random
import threading
import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

PATIENCE = 10.0  # seconds for one answer
GIVE_UP = 0.1  # of the clients, at the first trouble
RETRY = 0.3  # seconds


@dataclass
class Operation:
    """One request of a client, and whether the shop acknowledged it."""

    kind: str
    ref: str
    began: float
    acknowledged: float | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    asked_at: float = 0
    """When the acknowledged request was sent."""


class Load:
    """Clients in threads; `operations` records what they asked for."""

    def __init__(self, shop: dict[str, Any], port: int, *, seed: int, rate: float) -> None:
        self.shop, self.port, self.rate = shop, port, rate
        self.seed = seed
        self.operations: list[Operation] = []
        self.latencies: list[tuple[float, float]] = []
        self.stopping = threading.Event()
        self.giving_up = threading.Event()
        self.threads = [
            threading.Thread(target=client, args=[random.Random(f"{seed}-{n}"), n], daemon=True)  # noqa: S311
            for n, client in enumerate([self._buyer, self._buyer, self._buyer, self._writer])
        ]
        self.threads.append(threading.Thread(target=self._publisher, daemon=True))

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self, *, seconds: float = 60) -> None:
        """Start nothing new, and wait for requests that are being repeated."""
        self.stopping.set()
        end = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0.1, end - time.monotonic()))
        self.giving_up.set()
        for thread in self.threads:
            thread.join(PATIENCE + 1)

    def _buyer(self, drawn: random.Random, number: int) -> None:
        count = 0
        while not self.stopping.wait(drawn.expovariate(self.rate / 4)):
            count += 1
            order = f"chaos-{self.seed}-{number}-{count}"
            self._carry_out(Operation("payment", order, time.time()), drawn, self._pay)

    def _writer(self, drawn: random.Random, number: int) -> None:
        count = 0
        while not self.stopping.wait(drawn.expovariate(self.rate / 4)):
            count += 1
            ref = f"note-{self.seed}-{number}-{count}"
            self._carry_out(Operation("note", ref, time.time()), drawn, self._leave_note)

    def _carry_out(self, operation: Operation, drawn: random.Random, act: Any) -> None:
        self.operations.append(operation)
        gives_up = drawn.random() < GIVE_UP
        while not self.giving_up.is_set():
            operation.asked_at = time.time()
            try:
                operation.answer = act(operation.ref)
                operation.acknowledged = time.time()
                self.latencies.append((operation.asked_at, time.time() - operation.asked_at))
                return
            except (OSError, http.client.HTTPException, Refused) as error:
                operation.troubles.append(f"{type(error).__name__}: {error}"[:100])
            if gives_up:
                return
            self.giving_up.wait(RETRY)

    def _pay(self, order: str) -> dict[str, Any]:
        opened = self._ask(
            "/api/payments/",
            {
                "product": self.shop["bought"],
                "buyer": {"address": f"{order}@example.com", "name": "구매자"},
                "amount": self.shop["price"],
                "order_number": order,
            },
        )
        paid = {"payment_key": f"sandbox_{order}", "amount": self.shop["price"]}
        return self._ask(f"/api/payments/{opened['id']}/confirm/", paid)

    def _leave_note(self, ref: str) -> dict[str, Any]:
        form = urlencode({"key": ref, "address": f"{ref}@example.com"})
        return self._ask("/chaos/notes/", form)

    def _publisher(self) -> None:
        """Publish changes of terms, product by product, each once the last one was sent."""
        products: list[int] = self.shop["told"]
        drafts: dict[int, int] = {}
        days = dict.fromkeys(products, 7)
        turn = 0
        while not self.stopping.wait(3):
            product = products[turn % len(products)]
            turn += 1
            try:
                if product not in drafts:
                    days[product] += 1
                    drafts[product] = self.draft(product, days[product])
                self.publish(product, drafts.pop(product))
            except Unfinished as draft:
                drafts[product] = draft.terms
            except (OSError, http.client.HTTPException, Refused):
                continue

    def once(self, operation: Operation) -> None:
        """Make one attempt at a payment or a note; raise whatever goes wrong."""
        act = self._pay if operation.kind == "payment" else self._leave_note
        operation.answer = act(operation.ref)

    def draft(self, product: int, days: int) -> int:
        """Draft the next terms of a product; their id."""
        day = date.fromisoformat(self.shop["today"]) + timedelta(days=days)
        draft = {
            "title": "이용약관",
            "body": f"제1조 목적 {days}\n",
            "reason": "원유 가격이 올랐습니다.",
            "effective_on": day.isoformat(),
        }
        return int(self._ask(f"/api/products/{product}/terms/", draft)["id"])

    def publish(self, product: int, terms: int) -> None:
        """Publish a draft, repeating requests without a response. Raises Unfinished."""
        operation = Operation("broadcast", str(terms), time.time(), answer={"product": product})
        recorded = False
        while not self.giving_up.is_set():
            operation.asked_at = time.time()
            try:
                self._ask(f"/api/terms/{terms}/publish/", {})
            except Refused as refusal:
                if "broadcast_unfinished" in refusal.body:
                    raise Unfinished(terms) from None
                if "already_published" in refusal.body:
                    break
                operation.troubles.append(str(refusal)[:100])
            except (OSError, http.client.HTTPException) as error:
                operation.troubles.append(f"{type(error).__name__}: {error}"[:100])
            else:
                break
            if not recorded:
                self.operations.append(operation)
                recorded = True
            self.giving_up.wait(RETRY)
        else:
            return
        operation.acknowledged = time.time()
        if not recorded:
            self.operations.append(operation)

    def _ask(self, path: str, what: dict[str, Any] | str) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        is_form = isinstance(what, str)
        try:
            connection.request(
                "POST",
                path,
                what.encode() if isinstance(what, str) else json.dumps(what).encode(),
                {
                    "Authorization": f"Token {self.shop['token']}",
                    "X-Forwarded-Proto": "https",
                    "Content-Type": "application/x-www-form-urlencoded"
                    if is_form
                    else "application/json",
                },
            )
            response = connection.getresponse()
            body = response.read().decode("utf-8", "replace")
        finally:
            connection.close()
        if response.status >= 300:
            raise Refused(response.status, body)
        answer: dict[str, Any] = json.loads(body)
        return answer


class Refused(Exception):
    """A response that is not 2xx."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status} {body[:80]}")
        self.status, self.body = status, body


class Unfinished(Exception):
    """The product's last broadcast is not finished; this draft waits."""

    def __init__(self, terms: int) -> None:
        super().__init__(str(terms))
        self.terms = terms
