"""What the tests of delivery share: Batches at hand, and a transport that answers by a script."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from mail import outbox
from mail.kinds import Kind
from mail.models import Batch, Delivery, Lane, Message, Transport
from mail.relay import dispatch
from mail.transport.base import Envelope, Following, Watch, nobody
from mail.transport.replies import Answer, Phase
from mail.worker import batch_run, claims
from mail.worker.claims import Claim
from tests.unit.mail.mails import RECEIPT, receipt

State = Delivery.State
TAKEN = Answer(phase=Phase.DOT, code=250, enhanced="2.0.0", text="taken", host="mx:25")
LOST = Answer(phase=Phase.DOT, text="closed", host="mx:25")


def said(code: int, enhanced: str = "", *, phase: Phase = Phase.RCPT, text: str = "") -> Answer:
    return Answer(phase=phase, code=code, enhanced=enhanced, text=text, host="mx:25")


class Script:
    """A transport that answers by recipient, and asks the watch before a dot as the real ones do.

    What is set for an address is an Answer, an exception to raise, or a function of the watch.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer | Exception | Callable[[Watch], Answer]] = {}
        self.otherwise: Answer | Callable[[Watch], Answer] = TAKEN
        self.offered: list[Envelope] = []
        self.closed: Answer | None = None
        """What opening answers; None: it works."""
        self.opened: list[int] = []
        """How many Batches were claimed whenever it was opened."""

    @property
    def names(self) -> list[str]:
        """The local parts of the recipients offered, in order."""
        return [envelope.recipient.partition("@")[0] for envelope in self.offered]

    def on(self, name: str, answer: Answer | Exception | Callable[[Watch], Answer]) -> None:
        self.answers[f"{name}@example.com"] = answer

    def open(self, watch: Watch | None = None) -> Answer | None:
        self.opened.append(Batch.objects.exclude(token=None).filter(closed_at=None).count())
        return self.closed

    def deliver(self, envelope: Envelope, watch: Watch, following: Following = nobody) -> Answer:
        self.offered.append(envelope)
        answer = self.answers.get(envelope.recipient, self.otherwise)
        if isinstance(answer, Exception):
            raise answer
        if not isinstance(answer, Answer):
            return answer(watch)
        if answer.phase is Phase.DOT:
            watch.before_dot()
        return answer

    def withdraw(self) -> None:
        """Nothing was announced."""

    def close(self) -> None:
        """Nothing to leave."""


def send(*names: str, kind: Kind = RECEIPT, **options: Any) -> Message:
    """Record one mail to `name@example.com` for each name."""
    return outbox.send(receipt(*(f"{name}@example.com" for name in names)), kind=kind, **options)


def bind(lane: Lane = Lane.TRANSACTIONAL) -> Batch:
    """Bind what is due in a lane to one Batch."""
    (batch,) = dispatch.bind(lane, 500)
    return batch


def take(batch: Batch) -> Claim:
    claim = claims.take(batch.pk)
    assert claim is not None
    return claim


def deliver(batch: Batch, *, is_stopping: Callable[[], bool] = lambda: False) -> Batch:
    """Deliver a Batch and return its row as it is then."""
    batch_run.deliver(batch.pk, is_stopping=is_stopping)
    batch.refresh_from_db()
    return batch


def make_due() -> None:
    """Let whatever waits for its time be due."""
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
