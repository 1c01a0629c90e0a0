"""Shared by the delivery tests: Batches, and a connection that replies by a script."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from mail import outbox
from mail.kinds import Kind
from mail.models import Batch, Delivery, Lane, Message, Transport
from mail.relay import dispatch
from mail.transport.base import Callbacks, Envelope
from mail.transport.replies import Phase, Reply
from mail.worker import batch_run, claims
from mail.worker.accepted import Accepted
from mail.worker.batch_run import BatchRun
from mail.worker.claims import Claim
from mail.worker.results import Results
from mail.worker.slot import SLOT, Slot
from tests.unit.mail.mails import RECEIPT, receipt

State = Delivery.State
TAKEN = Reply(phase=Phase.DOT, code=250, enhanced="2.0.0", text="taken", host="mx:25")
LOST = Reply(phase=Phase.DOT, text="closed", host="mx:25")


def said(code: int, enhanced: str = "", *, phase: Phase = Phase.RCPT, text: str = "") -> Reply:
    return Reply(phase=phase, code=code, enhanced=enhanced, text=text, host="mx:25")


class Script:
    """A connection that replies by recipient, and asks the callbacks as the real ones do.

    What is set for an address is a Reply, an exception to raise, or a function of the callbacks.
    """

    def __init__(self) -> None:
        self.replies: dict[str, Reply | Exception | Callable[[Callbacks], Reply]] = {}
        self.otherwise: Reply | Callable[[Callbacks], Reply] = TAKEN
        self.offered: list[Envelope] = []
        self.closed: Reply | None = None
        """What opening it returns; None: it works."""
        self.opened: list[int] = []
        """How many Batches were claimed each time it was opened."""

    @property
    def names(self) -> list[str]:
        """The local parts of the recipients offered, in order."""
        return [envelope.recipient.partition("@")[0] for envelope in self.offered]

    def on(self, name: str, reply: Reply | Exception | Callable[[Callbacks], Reply]) -> None:
        self.replies[f"{name}@example.com"] = reply

    def open(self, callbacks: Callbacks | None = None) -> Reply | None:
        self.opened.append(Batch.objects.exclude(token=None).filter(closed_at=None).count())
        return self.closed

    def deliver(self, envelope: Envelope, callbacks: Callbacks) -> Reply:
        self.offered.append(envelope)
        reply = self.replies.get(envelope.recipient, self.otherwise)
        if isinstance(reply, Exception):
            raise reply
        if not isinstance(reply, Reply):
            return reply(callbacks)
        if reply.phase is Phase.DOT:
            callbacks.before_end_of_data()
        return reply

    def withdraw(self) -> None:
        """Nothing was announced."""

    def close(self) -> None:
        """Nothing to close."""


def send(*names: str, kind: Kind = RECEIPT, **options: Any) -> Message:
    """Record one mail to `name@example.com` for each name."""
    return outbox.send(receipt(*(f"{name}@example.com" for name in names)), kind=kind, **options)


def bind(lane: Lane = Lane.TRANSACTIONAL) -> Batch:
    """Bind what is due in a lane to one Batch."""
    (batch,) = dispatch.bind(lane, 500)
    return batch


def take(batch: Batch) -> Claim:
    claim = claims.take(batch.pk, sessions=SLOT.sessions)
    assert claim is not None
    return claim


def accepted_of(claim: Claim, *, after: float, reply: Reply = TAKEN) -> list[Accepted]:
    """All Deliveries of a claim, accepted that many seconds after it."""
    at = claim.lease.taken_at + after
    return [Accepted(one, reply, at) for one in claim.deliveries]


def results_of(claim: Claim, accepted: list[Accepted]) -> Results:
    """What a worker knows that had these accepted."""
    results = Results(claim)
    results.accepted = accepted
    return results


def run_of(batch: Batch, slot: Slot = SLOT) -> BatchRun:
    """A claimed Batch that is about to be delivered."""
    return BatchRun(take(batch), slot, is_stopping=lambda: False)


def deliver(batch: Batch, *, is_stopping: Callable[[], bool] = lambda: False) -> Batch:
    """Deliver a Batch and return its row as it is then."""
    batch_run.deliver(batch.pk, is_stopping=is_stopping)
    batch.refresh_from_db()
    return batch


def make_due() -> None:
    """Make everything that waits for a time due."""
    Delivery.objects.filter(due_at__gt=Now()).update(due_at=Now() - timedelta(seconds=1))


def row(name: str) -> Delivery:
    return Delivery.objects.get(address=f"{name}@example.com")


def states() -> dict[str, str]:
    """The states of all Deliveries by the names of their recipients."""
    rows = Delivery.objects.order_by("pk").values_list("address", "state")
    return {address.partition("@")[0]: state for address, state in rows}


def lane_row(lane: Lane = Lane.TRANSACTIONAL) -> Transport:
    return Transport.objects.get(lane=lane)


def assert_counts_agree() -> None:
    """Every Message counts exactly its rows, state by state."""
    rows = Counter(Delivery.objects.values_list("message_id", "state"))
    for message in Message.objects.all():
        counts = {state: getattr(message, state) for state in State.values}
        assert counts == {state: rows[message.pk, state] for state in State.values}
