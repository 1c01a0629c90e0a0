"""A hypothesis state machine that drives the real functions and the pure model side by side."""

import sys
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar, NamedTuple

from django.db import OperationalError, connection, transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mail import kinds, outbox
from mail.kinds import Kind
from mail.models import Attempt, Batch, Broadcast, Delivery, Lane, Message, RelayLease, Transport
from mail.outbox import KeyConflict, NotResumable
from mail.relay import dispatch, upkeep
from mail.relay.publisher import BrokerUnavailable
from tests.mail.mails import NOTICE, RECEIPT, notice, receipt
from tests.model import ledger
from tests.model.outside import REPLIES, Reply
from tests.model.slots import Slot
from tests.model.world import LEASE, World

SECRET = kinds.declare(Kind(name="tests.secret", lane=Lane.TRANSACTIONAL, keep_for=timedelta(0)))
KINDS = [RECEIPT, NOTICE, SECRET]
AUDIENCE, TOLD, FOLDED = "tests.users", 4, 1  # what `users` in conftest makes of it

FAULTS: list[Exception] = [OperationalError("away"), ZeroDivisionError("ours")]
ANSWERS = st.sampled_from([*([REPLIES["taken"]] * 6), *REPLIES.values(), *FAULTS])
SCRIPTS: st.SearchStrategy[list[Reply | Exception]] = st.lists(ANSWERS, max_size=6)
STEPS = st.one_of(st.integers(0, 30), st.just(1000))
DIES = st.sampled_from([False, False, True])
PICK = st.integers(0, 999)
TIMES = [timedelta(minutes=25), LEASE + timedelta(minutes=5), LEASE * 2.2, LEASE * 30]

# §2 of the design, said once more: where a Delivery may go, and by whom.
ARROWS = {
    "queued": {"sent", "failed", "uncertain", "cancelled"},
    "uncertain": {"queued", "sent"},
    "failed": {"queued", "sent"},
    "cancelled": {"sent"},
    "sent": set(),
}


class Row(NamedTuple):
    """What the model says of a Delivery."""

    message: int
    state: str
    batch: int | None
    uncertainties: int
    crashes: int

    @property
    def open(self) -> "Row":
        """Its Batch matters only while it waits."""
        return self if self.state == "queued" else self._replace(batch=None)


class MailMachine(RuleBasedStateMachine):
    """Each rule is something that may happen; each invariant holds after every one."""

    slots: ClassVar[list[Slot]]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.slots)
        self.before: dict[int, str] = {}
        self.messages: list[Message] = []

    # Web: what a request does.

    @rule(kind=st.sampled_from(KINDS), people=st.integers(1, 4), key=st.sampled_from("abc--"))
    def send(self, kind: Kind, people: int, key: str) -> None:
        to = [f"p{number}@example.com" for number in range(people)]
        given: dict[str, Any] = {} if key == "-" else {"key": key, "params": {"for": key}}
        known = Message.objects.filter(key=given.get("key")).first() if given else None
        try:
            message = outbox.send(receipt(*to), kind=kind, **given)
        except KeyConflict:
            assert known
            return
        assert known is None or known == message, "I7: one key, two mails"
        self._remember(message)

    @rule(kind=st.sampled_from(KINDS))
    def send_in_a_transaction_that_fails(self, kind: Kind) -> None:
        with suppress(ZeroDivisionError), transaction.atomic():
            outbox.send(receipt(), kind=kind)
            raise ZeroDivisionError

    @rule(kind=st.sampled_from(KINDS))
    def broadcast(self, kind: Kind) -> None:
        self._remember(outbox.broadcast(notice(), kind=kind, audience=AUDIENCE, params={}))

    @precondition(lambda self: self.messages)
    @rule(which=PICK, how=st.sampled_from(["pause", "resume", "cancel"]))
    def steer(self, which: int, how: str) -> None:
        message = self._pick(which)
        with suppress(NotResumable):
            getattr(outbox, how)(message)
        message.refresh_from_db()
        stopped = message.paused_at is not None, message.cancelled_at is not None
        self._tell(ledger.Flagged(message.pk, *stopped))

    @precondition(lambda self: self.messages)
    @rule(which=PICK, include_uncertain=st.booleans())
    def resend(self, which: int, include_uncertain: bool) -> None:
        rows = Delivery.objects.filter(message=self._pick(which))
        count = outbox.resend(rows, include_uncertain=include_uncertain)
        turned = self._moved_to("queued")
        assert count == len(turned)
        self._tell(ledger.Resent(turned))

    @precondition(lambda self: self.messages)
    @rule(which=PICK)
    def mark_sent(self, which: int) -> None:
        outbox.mark_sent(Delivery.objects.filter(message=self._pick(which)))
        self._tell(ledger.SaidToBeSent(self._moved_to("sent")))

    # Relay.

    @rule(
        lane=st.sampled_from(list(Lane)), mood=st.sampled_from(["well", "well", "refuses", "mute"])
    )
    def dispatch(self, lane: Lane, mood: str) -> None:
        broker = self.world.broker
        broker.mood = mood
        ready = sum(task[2] == lane.queue for task in broker.tasks)
        unclaimed = Batch.objects.filter(lane=lane, closed_at=None, token=None)
        with suppress(BrokerUnavailable):
            dispatch.republish(lane, broker)
            after = sum(task[2] == lane.queue for task in broker.tasks)
            assert after <= max(ready, unclaimed.count()), "a storm of tasks"
        with suppress(BrokerUnavailable):
            dispatch.dispatch(lane, broker)
        with suppress(BrokerUnavailable):
            dispatch.dispatch_expansions(broker)
        broker.mood = "well"
        for batch in Batch.objects.exclude(pk__in=self.world.ledger.batches):
            rows = Delivery.objects.filter(batch=batch).values_list("pk", flat=True)
            self._tell(ledger.Bound(batch.pk, list(rows)))

    @rule()
    def rescue(self) -> None:
        self.world.rescuer.rescue()
        self.world.flush()

    @rule()
    def keep_up(self) -> None:
        upkeep.turn_rows()
        self._tell(ledger.Turned())
        upkeep.requeue_unsure()
        self._tell(ledger.Requeued(self._moved_to("queued")))
        upkeep.erase_contents()

    # The broker forgets, repeats and mixes up.

    @precondition(lambda self: self.world.broker.tasks)
    @rule(which=PICK, how=st.sampled_from(["drop", "repeat", "wipe"]))
    def broker_fails(self, which: int, how: str) -> None:
        tasks = self.world.broker.tasks
        if how == "wipe":
            tasks.clear()
        elif how == "drop":
            tasks.pop(which % len(tasks))
        else:
            tasks.append(tasks[which % len(tasks)])

    # Workers: a task comes, in any order; it runs for a while, parks, goes on, or dies.

    @precondition(lambda self: self.world.broker.tasks and self._slots(busy=False))
    @rule(which=PICK, script=SCRIPTS, steps=STEPS, dies=DIES, page=st.booleans())
    def take_task(self, which: int, script, steps: int, dies: bool, page: bool) -> None:
        slot, tasks = self._slots(busy=False)[0], self.world.broker.tasks
        worker = self.world.begin(slot, tasks.pop(which % len(tasks)), script)
        worker.dies_in_page = page and dies
        self._advance(slot, steps, dies=dies)

    @precondition(lambda self: self._slots(busy=True))
    @rule(which=PICK, steps=STEPS, dies=DIES)
    def go_on(self, which: int, steps: int, dies: bool) -> None:
        busy = self._slots(busy=True)
        self._advance(busy[which % len(busy)], steps, dies=dies)

    @precondition(lambda self: self._slots(busy=True))
    @rule(which=PICK, what=st.sampled_from(["renew", "stop", "before", "after"]))
    def disturb(self, which: int, what: str) -> None:
        """Its server is slow; it is told to end; the database goes away around its next write."""
        busy = self._slots(busy=True)
        worker = self.world.workers[busy[which % len(busy)].number]
        if what == "renew":
            self.world.renew(worker)
        elif what == "stop":
            worker.is_stopping = True
        else:
            worker.hiccup = what

    # Time passes, and PostgreSQL crashes.

    @rule(time=st.sampled_from(TIMES))
    def time_passes(self, time: timedelta) -> None:
        self.world.pass_by(time)

    @rule()
    def database_crashes(self) -> None:
        self.world.crash_database()
        connection.close()

    # What holds after every step.

    @invariant()
    def nothing_forbidden_happened(self) -> None:
        if self.world.violation:
            raise self.world.violation

    @invariant()
    def the_database_is_as_the_model_says(self) -> None:
        columns = ("message", "state", "batch", "uncertainties", "crashes")
        rows = {row[0]: Row(*row[1:]) for row in Delivery.objects.values_list("pk", *columns)}
        known = self.world.ledger.mails.items()
        assert {pk: row.open for pk, row in rows.items()} == {
            pk: Row(one.message, one.state, one.batch, one.uncertainties, one.crashes).open
            for pk, one in known
        }
        self._check_arrows(rows)
        self._check_counts(rows)
        self._check_batches()

    def _check_arrows(self, rows: dict[int, Row]) -> None:
        for pk, row in rows.items():
            old = self.before.get(pk, row.state)
            assert row.state == old or row.state in ARROWS[old], f"I9: {pk}: {old} → {row.state}"
        self.before = {pk: row.state for pk, row in rows.items()}

    def _check_counts(self, rows: dict[int, Row]) -> None:
        """The ledger is even: what a Message counts is what its rows are."""
        found = Counter((row.message, row.state) for row in rows.values())
        for message in Message.objects.values("pk", *ARROWS):
            pk = message.pop("pk")
            assert message == {state: found[pk, state] for state in ARROWS}

    def _check_batches(self) -> None:
        """Who owns which Batch, and how far each is."""
        rows = Batch.objects.filter(closed_at=None).values_list(
            "pk", "token", "begun", "through_id"
        )
        found = {pk: (token is not None, begun, through) for pk, token, begun, through in rows}
        assert found == {
            pk: (batch.worker is not None, batch.begun, batch.through)
            for pk, batch in self.world.ledger.batches.items()
            if batch.is_open
        }

    # The end: the faults stop, and everything finds its way.

    def teardown(self) -> None:
        try:
            if self.world.violation is None and not self._is_failing():
                self.drain()
        finally:
            self.world.close()
            self._empty()

    def drain(self) -> None:
        """Whatever was accepted leaves or is held, without a person but for what is paused."""
        for slot in self._slots(busy=True):
            self.world.workers[slot.number].transport.script.clear()
            self._advance(slot, 1000, dies=False)
        for message in Message.objects.filter(paused_at__isnull=False, cancelled_at=None):
            outbox.resume(message)
            self._tell(ledger.Flagged(message.pk, False, False))
        for _ in range(40):
            if self._is_over():
                break
            self.time_passes(LEASE * 1.1)
            self.rescue()
            self.keep_up()
            for lane in Lane:
                self.dispatch(lane, "well")
            while self.world.broker.tasks:
                self.world.begin(self.slots[0], self.world.broker.tasks.pop(0), [])
                self._advance(self.slots[0], 1000, dies=False)
            self.before = {pk: mail.state for pk, mail in self.world.ledger.mails.items()}
            self.the_database_is_as_the_model_says()
        assert self._is_over(), "something is stuck"
        self._assert_all_is_accounted_for()

    def _assert_all_is_accounted_for(self) -> None:
        assert not Attempt.objects.filter(phase="content", code="554").exists(), "erased too early"
        unsure = Delivery.objects.filter(state="uncertain", due_at__isnull=False)
        assert not unsure.filter(message__cancelled_at=None).exists()
        for one in Broadcast.objects.filter(message__cancelled_at=None).select_related("message"):
            assert (one.message.recipients, one.message.folded) == (TOLD, FOLDED), "I8"
        ledger.check(self.world.ledger)
        for mail in self.world.ledger.mails.values():
            if self.world.ledger.messages[mail.message].holds and not mail.doubts:
                assert mail.copies <= 1

    def _is_over(self) -> bool:
        expanding = Broadcast.objects.filter(expanded_at=None, message__cancelled_at=None)
        waiting = Delivery.objects.filter(state="uncertain", due_at__isnull=False)
        return not (
            Delivery.objects.filter(state="queued").exists()
            or waiting.filter(message__cancelled_at=None).exists()
            or Batch.objects.filter(closed_at=None).exists()
            or expanding.exists()
        )

    def _slots(self, *, busy: bool) -> list[Slot]:
        return [slot for slot in self.slots if slot.is_busy == busy]

    def _advance(self, slot: Slot, steps: int, *, dies: bool) -> None:
        slot.advance(steps, dies=dies)
        if slot.died:  # what was not acknowledged is delivered again
            self.world.broker.tasks.append(self.world.workers[slot.number].task)
        if not slot.is_busy:
            self.world.workers.pop(slot.number)

    def _remember(self, message: Message) -> None:
        self.world.flush()
        if message not in self.messages:
            self.messages.append(message)
            self.world.recorded(message)

    def _pick(self, which: int) -> Message:
        return self.messages[which % len(self.messages)]

    def _moved_to(self, state: str) -> list[int]:
        """The mails that are in a state, and were not when the model looked last."""
        now = Delivery.objects.filter(state=state).values_list("pk", flat=True)
        return [pk for pk in now if self.world.ledger.mails[pk].state != state]

    def _tell(self, event: Any) -> None:
        self.world.flush()
        self.world.tell(event)

    @staticmethod
    def _is_failing() -> bool:
        return sys.exc_info()[0] is not None

    @staticmethod
    def _empty() -> None:
        for model in (Attempt, Delivery, Batch, Broadcast, Message):
            model.objects.all()._raw_delete("default")  # one statement each
        Transport.objects.update(held_until=None, holds_in_a_row=0, ms_per_mail=20)
        RelayLease.objects.update(lease_until=None)
