"""A scene: a running stack, and what a row of the matrix does and observes there."""

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg

from chaos.evidence import gather
from chaos.hit import Hit
from chaos.load import Load, Operation
from chaos.stack import Stack
from tests.harness.balance import Ledger, balance
from tests.harness.ports import NotReady, wait_until

STATES = """
    SELECT delivery.state, delivery.attempts, delivery.code, message.message_id,
           (SELECT count(*) FROM mail_attempt AS attempt
             WHERE attempt.delivery_id = delivery.id AND attempt.outcome = 'uncertain'),
           delivery.batch_id IS NOT NULL, delivery.due_at > now()
      FROM mail_delivery AS delivery JOIN mail_message AS message
        ON message.id = delivery.message_id WHERE delivery.address = %s
"""
WAITING = """
    SELECT (SELECT count(*) FROM mail_delivery WHERE state = 'queued'
               OR (state = 'uncertain' AND due_at IS NOT NULL))
         + (SELECT count(*) FROM mail_batch WHERE closed_at IS NULL)
         + (SELECT count(*) FROM mail_broadcast WHERE expanded_at IS NULL)
"""
DEATHS = """
    SELECT (SELECT count(*) FROM mail_batch WHERE rescued),
           (SELECT count(*) FROM mail_attempt WHERE outcome = 'uncertain')
"""
FREE = "UPDATE mail_transport SET held_until = NULL, holds_in_a_row = 0, reason = ''"
DUE = "UPDATE mail_delivery SET due_at = now() WHERE state = 'queued' AND batch_id IS NULL"


class Failed(AssertionError):
    """A row did not end as expected; the message says how."""


class NotRun(Exception):
    """This machine cannot run a row; the message says why. It counts as a failure."""


class Mail:
    """One recipient's mail, looked up on each access."""

    def __init__(self, scene: "Scene", address: str) -> None:
        self.scene, self.address = scene, address

    @property
    def row(self) -> tuple[Any, ...]:
        with self.scene.stack.database() as database:
            return database.execute(STATES, [self.address]).fetchone() or ("missing",)

    @property
    def state(self) -> str:
        return str(self.row[0])

    @property
    def copies(self) -> int:
        return self.scene.copies()[self.address]

    @property
    def seen(self) -> str:
        """Such as `sent, 2 copies, 1 uncertain, 1 attempt`."""
        row = self.row
        if row[0] == "missing":
            return "missing"
        waits = " for later" if row[0] == "queued" and row[6] else ""
        return f"{row[0]}{waits}, {self.copies} copies, {row[4]} uncertain, {row[1]} attempts"


class Scene:
    """The clients of a stack, and what they observe."""

    def __init__(self, stack: Stack, *, seed: int) -> None:
        self.stack, self.seed = stack, seed
        self.client = Load(stack.shop, stack.web_port, seed=seed, rate=12)
        self.operations: list[Operation] = []
        self.hits: list[Hit] = []
        self.count = 0

    def warm_up(self) -> float:
        """Use every queue once: RabbitMQ 3.10 that is killed while creating one may break it."""
        began = time.monotonic()
        self.payment()
        self.broadcast()
        self.rest()
        return time.monotonic() - began

    def note(self) -> Mail:
        """A mail of the kind that holds."""
        return self._ask("note")

    def payment(self) -> Mail:
        """A receipt: of the kind that is sent once more when it is uncertain."""
        return self._ask("payment")

    def mails(self, seconds: float, *, every: float = 0.2) -> list[float]:
        """Send notes and payments for a while; all must succeed. Returns their durations."""
        took, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            self._ask("note" if self.count % 2 else "payment")
            took.append(time.monotonic() - began)
            time.sleep(every)
        return took

    def broadcast(self) -> int:
        """Publish a change of terms to the readers of one product; how many they are."""
        product = self.stack.shop["told"][self.count % len(self.stack.shop["told"])]
        self.count += 1
        terms = self.client.draft(product, 8 + self.count)
        self.client.publish(product, terms)
        self.operations.append(self.client.operations.pop())
        return self.stack.subscribers

    def wait(self, holds: Callable[[], object], what: str, *, seconds: float = 60) -> float:
        """Wait for something; the seconds it took. Raises Failed."""
        began = time.monotonic()
        try:
            wait_until(lambda: _calmly(holds), seconds=seconds, every=0.1, what=what)
        except NotReady as trouble:
            raise Failed(str(trouble)) from None
        return time.monotonic() - began

    def rest(self, *, seconds: float = 120) -> float:
        """Wait until nothing waits any more."""
        return self.wait(lambda: self.waiting() == 0, "rest", seconds=seconds)

    def waiting(self) -> int:
        with self.stack.database() as database:
            return int((database.execute(WAITING).fetchone() or [0])[0])

    def deaths(self) -> tuple[int, ...]:
        """How many Batches were rescued and how many attempts ended uncertain so far."""
        with self.stack.database() as database:
            return tuple(database.execute(DEATHS).fetchone() or ())

    def free_transport(self) -> None:
        """Release the lanes, as an operator does."""
        with self.stack.database() as database:
            database.execute(FREE)

    def make_due(self) -> None:
        """Make deferred mails due, instead of waiting for minutes."""
        with self.stack.database() as database:
            database.execute(DUE)

    def copies(self) -> Counter[str]:
        """How many copies of a mail each address got."""
        lines = self.stack.sink_log.read_text().splitlines()
        return Counter(json.loads(line)[2] for line in lines)

    def judge(self) -> Ledger:
        """The ledger of all that was asked for on this stack so far."""
        evidence = gather(self.stack, self.operations)
        crashes = [hit.at for hit in self.hits if hit.kind.startswith("postgresql")]
        return balance(
            wanted=evidence.wanted,
            rows=evidence.rows,
            taken=evidence.taken,
            counts=evidence.counts,
            losses=evidence.losses(crashes),
        )

    def repeat(self, operation: Operation) -> None:
        """Request a note or a payment, possibly again, with the same key or order number."""
        self.client.once(operation)
        operation.acknowledged = time.time()

    def _ask(self, kind: str) -> Mail:
        self.count += 1
        ref = f"row-{self.seed}-{self.count}"
        operation = Operation(kind, ref, time.time())
        self.operations.append(operation)
        self.repeat(operation)
        return Mail(self, f"{ref}@example.com")


def expect(found: object, *wanted: object, what: str = "") -> None:
    """Raise Failed unless the value is one of the expected ones."""
    if found not in wanted:
        raise Failed(f"{what + ': ' if what else ''}found {found!r}, expected {wanted}")


def _calmly(holds: Callable[[], object]) -> object:
    try:
        return holds()
    except psycopg.Error:
        return False
