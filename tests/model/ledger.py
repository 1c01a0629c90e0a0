"""The life of Deliveries and Batches as a pure function: `step(ledger, event) -> ledger`.

It is written from the design (states and their arrows, what is known of a dead worker's Batch),
not from the code: where the two differ, one of them is wrong. An event that may
not happen raises Forbidden.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import Any

QUEUED, SENT, FAILED, UNCERTAIN, CANCELLED = "queued", "sent", "failed", "uncertain", "cancelled"
DEADLY = 3  # workers that a mail may take with it


class Forbidden(AssertionError):
    """An event that must not happen."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A Message: what its kind says, and its flags."""

    holds: bool
    paused: bool = False
    cancelled: bool = False


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A Delivery, with what only the outside knows: the copies that the server accepted."""

    message: int
    state: str = QUEUED
    batch: int | None = None
    uncertainties: int = 0
    crashes: int = 0
    copies: int = 0
    doubts: int = 0  # how often it was sent again although the server might have had it
    by_rule: int = 0  # how many of these without a person
    by_hand: bool = False  # a person said that it arrived


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """A Batch."""

    worker: int | None = None
    begun: bool = False
    through: int = 0
    is_open: bool = True


@dataclass(frozen=True)
class Ledger:
    """Everything that was recorded."""

    messages: Mapping[int, Policy] = field(default_factory=dict)
    mails: Mapping[int, Mail] = field(default_factory=dict)
    batches: Mapping[int, Parcel] = field(default_factory=dict)

    def open_in(self, batch: int) -> list[int]:
        """The mails of a Batch that wait for an outcome, in the order of their ids."""
        return sorted(
            pk for pk, mail in self.mails.items() if (mail.state, mail.batch) == (QUEUED, batch)
        )

    def is_owned(self, batch: int, worker: int) -> bool:
        return self.batches[batch].is_open and self.batches[batch].worker == worker

    def with_mails(self, pks: Iterable[int], **changes: Any) -> "Ledger":
        changed = {pk: replace(self.mails[pk], **changes) for pk in pks}
        return replace(self, mails={**self.mails, **changed})

    def with_batch(self, batch: int, **changes: Any) -> "Ledger":
        return replace(
            self, batches={**self.batches, batch: replace(self.batches[batch], **changes)}
        )

    def with_message(self, message: int, **changes: Any) -> "Ledger":
        changed = replace(self.messages[message], **changes)
        return replace(self, messages={**self.messages, message: changed})


@dataclass(frozen=True)
class Recorded:
    message: int
    mails: Collection[int]
    holds: bool


@dataclass(frozen=True)
class Flagged:
    """A person paused, resumed or cancelled a Message."""

    message: int
    paused: bool
    cancelled: bool


@dataclass(frozen=True)
class Bound:
    batch: int
    mails: Collection[int]


@dataclass(frozen=True)
class Joined:
    """Mails were put into a Batch that waits for a worker."""

    batch: int
    mails: Collection[int]


@dataclass(frozen=True)
class Claimed:
    batch: int
    worker: int


@dataclass(frozen=True)
class Marked:
    batch: int
    worker: int
    through: int
    begun: bool


@dataclass(frozen=True)
class MarksLost:
    """The database crashed and came back with an older cursor."""

    batch: int
    through: int
    begun: bool


@dataclass(frozen=True)
class Taken:
    """The server accepted a copy."""

    mail: int


@dataclass(frozen=True)
class Answered:
    """The server's reply, or our own verdict, was written to the mail's own row."""

    batch: int
    worker: int
    mail: int
    state: str


@dataclass(frozen=True)
class Released:
    """A worker took the mails of stopped Messages that come after its cursor out of its Batch."""

    batch: int
    worker: int
    messages: Collection[int]
    after: int


@dataclass(frozen=True)
class Kept:
    """A worker wrote its 250s, and closed its Batch unless it leaves that to the rescue."""

    batch: int
    worker: int
    accepted: Collection[int]
    closes: bool


@dataclass(frozen=True)
class Settled:
    """A relay settled the Batch of a worker that it took for dead."""

    batch: int
    marks_missing: bool


@dataclass(frozen=True)
class Turned:
    """The relay brought the rows in line with the flags of their Messages."""


@dataclass(frozen=True)
class Requeued:
    """Uncertain mails whose wait was over were queued by rule."""

    mails: Collection[int]


@dataclass(frozen=True)
class Resent:
    """A person had mails sent again."""

    mails: Collection[int]


@dataclass(frozen=True)
class SaidToBeSent:
    """A person has evidence that uncertain mails arrived."""

    mails: Collection[int]


@singledispatch
def step(event: Any, ledger: Ledger) -> Ledger:
    """The ledger after an event. Raises Forbidden."""
    raise TypeError(event)


def require(condition: object, event: object) -> None:
    if not condition:
        raise Forbidden(event)


@step.register
def _(event: Recorded, ledger: Ledger) -> Ledger:
    require(not set(event.mails) & set(ledger.mails), event)
    known = ledger.messages.get(event.message, Policy(holds=event.holds))
    return replace(
        ledger,
        messages={**ledger.messages, event.message: known},
        mails={**ledger.mails, **{pk: Mail(message=event.message) for pk in event.mails}},
    )


@step.register
def _(event: Flagged, ledger: Ledger) -> Ledger:
    require(event.cancelled or not ledger.messages[event.message].cancelled, event)
    return ledger.with_message(event.message, paused=event.paused, cancelled=event.cancelled)


@step.register
def _(event: Bound, ledger: Ledger) -> Ledger:
    require(event.batch not in ledger.batches and event.mails, event)
    bound = _put(ledger, event)
    return replace(bound, batches={**bound.batches, event.batch: Parcel()})


@step.register
def _(event: Joined, ledger: Ledger) -> Ledger:
    batch = ledger.batches[event.batch]
    require(batch.is_open and batch.worker is None, event)
    return _put(ledger, event)


def _put(ledger: Ledger, event: Bound | Joined) -> Ledger:
    """Put mails into a Batch: queued ones of Messages that are not stopped, a suspect alone."""
    for pk in event.mails:
        mail = ledger.mails[pk]
        policy = ledger.messages[mail.message]
        require((mail.state, mail.batch) == (QUEUED, None), event)
        require(not policy.paused and not policy.cancelled, event)
    bound = ledger.with_mails(event.mails, batch=event.batch)
    inside = [
        mail for mail in bound.mails.values() if (mail.state, mail.batch) == (QUEUED, event.batch)
    ]
    require(len(inside) == 1 or not any(mail.crashes for mail in inside), event)
    return bound


@step.register
def _(event: Claimed, ledger: Ledger) -> Ledger:
    batch = ledger.batches[event.batch]
    require(batch.is_open and batch.worker is None, event)
    return ledger.with_batch(event.batch, worker=event.worker)


@step.register
def _(event: Marked, ledger: Ledger) -> Ledger:
    require(ledger.is_owned(event.batch, event.worker), event)
    batch = ledger.batches[event.batch]
    return ledger.with_batch(
        event.batch, through=max(batch.through, event.through), begun=batch.begun or event.begun
    )


@step.register
def _(event: MarksLost, ledger: Ledger) -> Ledger:
    return ledger.with_batch(event.batch, through=event.through, begun=event.begun)


@step.register
def _(event: Taken, ledger: Ledger) -> Ledger:
    return ledger.with_mails([event.mail], copies=ledger.mails[event.mail].copies + 1)


@step.register
def _(event: Answered, ledger: Ledger) -> Ledger:
    if not ledger.is_owned(event.batch, event.worker):
        return ledger  # who lost the claim changes nothing
    if event.mail not in ledger.open_in(event.batch):
        return ledger
    if event.state == QUEUED:
        return ledger.with_mails([event.mail], batch=None)
    doubt = int(event.state == UNCERTAIN)
    return ledger.with_mails(
        [event.mail],
        state=event.state,
        uncertainties=ledger.mails[event.mail].uncertainties + doubt,
    )


@step.register
def _(event: Released, ledger: Ledger) -> Ledger:
    if not ledger.is_owned(event.batch, event.worker):
        return ledger
    rows = [pk for pk in ledger.open_in(event.batch) if pk > event.after]
    return ledger.with_mails(
        [pk for pk in rows if ledger.mails[pk].message in event.messages], batch=None
    )


@step.register
def _(event: Kept, ledger: Ledger) -> Ledger:
    for pk in event.accepted:
        require(ledger.mails[pk].copies, event)
    kept = ledger.with_mails(event.accepted, state=SENT)
    if not event.closes or not kept.is_owned(event.batch, event.worker):
        return kept
    rest = kept.open_in(event.batch)
    return kept.with_mails(rest, batch=None).with_batch(event.batch, is_open=False)


@step.register
def _(event: Settled, ledger: Ledger) -> Ledger:
    batch = ledger.batches[event.batch]
    require(batch.is_open and batch.worker is not None, event)
    rows = ledger.open_in(event.batch)
    unsure: list[int] = []
    for pk in rows:
        mail = ledger.mails[pk]
        if pk <= batch.through:
            ledger = ledger.with_mails([pk], state=SENT)
        elif event.marks_missing or (batch.begun and not unsure):
            unsure.append(pk)
            ledger = ledger.with_mails(
                [pk],
                state=UNCERTAIN,
                uncertainties=mail.uncertainties + 1,
                crashes=mail.crashes + 1,
            )
        else:
            ledger = ledger.with_mails([pk], batch=None)
    left = [pk for pk in rows if ledger.mails[pk].state == QUEUED]
    if left and not unsure:
        crashes = ledger.mails[left[0]].crashes + 1
        state = FAILED if crashes >= DEADLY else QUEUED
        ledger = ledger.with_mails(left[:1], crashes=crashes, state=state)
    return ledger.with_batch(event.batch, is_open=False)


@step.register
def _(event: Turned, ledger: Ledger) -> Ledger:
    return ledger.with_mails(
        [
            pk
            for pk, mail in ledger.mails.items()
            if (mail.state, mail.batch) == (QUEUED, None)
            and ledger.messages[mail.message].cancelled
        ],
        state=CANCELLED,
    )


@step.register
def _(event: Requeued, ledger: Ledger) -> Ledger:
    for pk in event.mails:
        mail = ledger.mails[pk]
        policy = ledger.messages[mail.message]
        require((mail.state, mail.uncertainties) == (UNCERTAIN, 1), event)  # once
        require(not policy.holds and not policy.cancelled, event)
        ledger = ledger.with_mails(
            [pk], state=QUEUED, batch=None, doubts=mail.doubts + 1, by_rule=1
        )
    return ledger


@step.register
def _(event: Resent, ledger: Ledger) -> Ledger:
    for pk in event.mails:
        mail = ledger.mails[pk]
        require(mail.state in {FAILED, UNCERTAIN}, event)
        require(not ledger.messages[mail.message].cancelled, event)
        doubts = mail.doubts + (mail.state == UNCERTAIN)
        ledger = ledger.with_mails([pk], state=QUEUED, batch=None, doubts=doubts, crashes=0)
    return ledger


@step.register
def _(event: SaidToBeSent, ledger: Ledger) -> Ledger:
    for pk in event.mails:
        require(ledger.mails[pk].state == UNCERTAIN, event)
    return ledger.with_mails(event.mails, state=SENT, by_hand=True)


def check(ledger: Ledger) -> None:
    """What holds after every step, whatever happened. Raises AssertionError."""
    for pk, mail in ledger.mails.items():
        batch = ledger.batches.get(mail.batch or 0)
        in_hand = mail.state == QUEUED and batch and batch.is_open and batch.worker is not None
        may_be_there = mail.state in {SENT, UNCERTAIN} or in_hand
        assert mail.copies <= mail.doubts + bool(may_be_there), f"one copy too many: {pk} {mail}"
        people = mail.doubts - mail.by_rule
        assert not ledger.messages[mail.message].holds or mail.copies <= 1 + people, f"held: {pk}"
        assert mail.state != SENT or mail.copies or mail.by_hand, f"never sent: {pk} {mail}"
