"""A hypothesis state machine that drives the real functions and the pure model side by side."""

import sys
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar, NamedTuple

from django.db import OperationalError, connection, transaction
from django.test import override_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mail import kinds, outbox
from mail.kinds import Kind
from mail.models import Attempt, Batch, Broadcast, Delivery, Lane, Message, RelayLease, Transport
from mail.outbox import KeyConflict, NotResumable
from mail.relay import dispatch, maintenance
from mail.relay.flags import FlagPropagation
from mail.relay.publisher import BrokerUnavailable
from tests.model import ledger
from tests.model.outside import REPLIES, Scripted
from tests.model.slots import Slot
from tests.model.visited import Visited
from tests.model.world import LEASE, World
from tests.unit.mail.mails import NOTICE, RECEIPT, notice, receipt

SECRET = kinds.declare(Kind(name="tests.secret", lane=Lane.TRANSACTIONAL, keep_for=timedelta(0)))
KINDS = [RECEIPT, NOTICE, SECRET]
AUDIENCE, TOLD, FOLDED = "tests.users", 4, 1  # what `users` in conftest makes of it

FAULTS: list[Exception] = [OperationalError("away"), ZeroDivisionError("ours")]
ANSWERS = st.sampled_from([*([REPLIES["taken"]] * 24), *REPLIES.values(), *FAULTS])
SCRIPTS: st.SearchStrategy[list[Scripted | Exception]] = st.lists(ANSWERS, max_size=6)
FEW, ALL = st.integers(0, 9), st.just(1000)
STEPS = st.one_of(FEW, FEW, st.integers(10, 25), ALL)  # points to pass, then park or die
DIES = st.sampled_from([False, False, True])
ROOM = 6
RARELY = st.sampled_from([False] * 7 + [True])
PEOPLE = st.integers(1, 3)
PICK = st.integers(0, 999)
SHORT, LEASE_OVER, WAIT_OVER = timedelta(minutes=25), LEASE * 1.1, LEASE * 2.2
TIMES = [*[SHORT, LEASE_OVER, WAIT_OVER] * 4, LEASE * 30]  # the last one is a give-up time

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


DELIVERIES = "SELECT id, message_id, state, batch_id, uncertainties, crashes FROM mail_delivery"
COUNTS = f"SELECT id, {', '.join(ARROWS)} FROM mail_message"
BATCHES = """
    SELECT id, token IS NOT NULL, begun, through_id FROM mail_batch WHERE closed_at IS NULL
"""


def look() -> tuple[dict[int, Row], dict[int, dict[str, int]], dict[int, tuple[bool, bool, int]]]:
    """Deliveries, counts of Messages and open Batches, by plain SQL: it is done at each step."""
    with connection.cursor() as cursor:
        cursor.execute(DELIVERIES)
        rows = {pk: Row(*rest) for pk, *rest in cursor.fetchall()}
        cursor.execute(COUNTS)
        counts = {pk: dict(zip(ARROWS, rest, strict=True)) for pk, *rest in cursor.fetchall()}
        cursor.execute(BATCHES)
        batches = {
            pk: (bool(owned), bool(begun), through)
            for pk, owned, begun, through in cursor.fetchall()
        }
    return rows, counts, batches


class MailMachine(RuleBasedStateMachine):
    """Each rule is something that may happen; each invariant holds after every one."""

    slots: ClassVar[list[Slot]]
    visited: ClassVar[Visited]

    def __init__(self) -> None:
        super().__init__()
        self.visited.begun += 1
        self.world = World(self.slots, self.visited)
        self.before: dict[int, str] = {}
        self.messages: list[Message] = []

    # Web: what a request does.

    @initialize(kind=st.sampled_from(KINDS), people=PEOPLE)
    def open(self, kind: Kind, people: int) -> None:
        self.send(kind, people, "-", fails=False)

    @rule(kind=st.sampled_from(KINDS), people=PEOPLE, key=st.sampled_from("ab--"), fails=RARELY)
    def send(self, kind: Kind, people: int, key: str, fails: bool) -> None:
        if not self._has_room():
            return
        if fails:
            return self._send_in_a_transaction_that_fails(kind)
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
    def broadcast(self, kind: Kind) -> None:
        if not self._has_room():
            return
        self._remember(outbox.broadcast(notice(), kind=kind, audience=AUDIENCE, params={}))

    @rule(which=PICK, how=st.sampled_from(["pause", "resume", "resume", "cancel"]))
    def steer(self, which: int, how: str) -> None:
        if not self.messages:
            return
        message = self._pick(which)
        with suppress(NotResumable):
            getattr(outbox, how)(message)
        message.refresh_from_db()
        stopped = message.paused_at is not None, message.cancelled_at is not None
        self._tell(ledger.Flagged(message.pk, *stopped))

    @rule(which=PICK, include_uncertain=st.booleans())
    def resend(self, which: int, include_uncertain: bool) -> None:
        if not self.messages:
            return
        rows = Delivery.objects.filter(message=self._pick(which))
        count = outbox.resend(rows, include_uncertain=include_uncertain)
        turned = self._moved_to("queued")
        assert count == len(turned)
        self._tell(ledger.Resent(turned))

    @rule(which=PICK)
    def mark_sent(self, which: int) -> None:
        if not self.messages:
            return
        outbox.mark_sent(Delivery.objects.filter(message=self._pick(which)))
        self._tell(ledger.SaidToBeSent(self._moved_to("sent")))

    # Relay.

    @rule(mood=st.sampled_from(["well", "well", "refuses", "mute"]))
    def dispatch(self, mood: str) -> None:
        self.world.broker.mood = mood
        for lane in Lane:
            self._dispatch(lane)
        with suppress(BrokerUnavailable):
            for lane in Lane:
                dispatch.dispatch_expansions(lane, self.world.broker)
        self.world.broker.mood = "well"
        known = self.world.ledger
        bound = defaultdict(list)
        queued = Delivery.objects.filter(state="queued", batch__isnull=False)
        for pk, batch in queued.values_list("pk", "batch"):
            if known.mails[pk].batch != batch:
                bound[batch].append(pk)
        for batch, pks in bound.items():
            event = ledger.Joined if batch in known.batches else ledger.Bound
            self._tell(event(batch, pks))

    def _dispatch(self, lane: Lane) -> None:
        broker = self.world.broker
        ready = sum(task[2] == lane.queue for task in broker.tasks)
        unclaimed = Batch.objects.filter(lane=lane, closed_at=None, token=None)
        with suppress(BrokerUnavailable):
            dispatch.republish(lane, broker)
            after = sum(task[2] == lane.queue for task in broker.tasks)
            assert after <= ready or after <= unclaimed.count(), "a storm of tasks"
        with suppress(BrokerUnavailable):
            dispatch.dispatch(lane, broker)

    @rule(waits=st.booleans())
    def rescue(self, waits: bool) -> None:
        """A relay looks for dead workers; or again and again, until a lease was over for long."""
        for _ in range(2 if waits else 1):
            if waits:
                self.world.pass_by(LEASE_OVER)
            self.world.rescuer.rescue()
            self.world.flush()

    @rule(waits=st.booleans())
    def keep_up(self, waits: bool) -> None:
        if waits:
            self.world.pass_by(WAIT_OVER)
        FlagPropagation().apply()
        self._tell(ledger.Turned())
        maintenance.requeue_uncertain()
        self._tell(ledger.Requeued(self._moved_to("queued")))
        maintenance.erase_contents()

    # The broker forgets, repeats and mixes up.

    @rule(which=PICK, how=st.sampled_from(["drop", "repeat", "wipe"]))
    def broker_fails(self, which: int, how: str) -> None:
        if not self.world.broker.tasks:
            return
        tasks = self.world.broker.tasks
        if how == "wipe":
            tasks.clear()
        elif how == "drop":
            tasks.pop(which % len(tasks))
        else:
            tasks.append(tasks[which % len(tasks)])

    # Workers: a task comes, in any order; it runs for a while, parks, goes on, or dies.

    @rule(which=PICK, script=SCRIPTS, steps=STEPS, dies=DIES, page=st.booleans())
    def take_task(self, which: int, script, steps: int, dies: bool, page: bool) -> None:
        """An idle slot takes a task. If there is none, the shop sells and the relay dispatches."""
        if not self._slots(busy=False):
            return
        slot, tasks = self._slots(busy=False)[0], self.world.broker.tasks
        if not tasks:
            self.dispatch("well")
        if not tasks:
            self.world.pass_by(LEASE / 2)  # in which a transport may be held
            if self._has_room():
                self.open(KINDS[which % len(KINDS)], 1 + which % 3)
            self.dispatch("well")
        if not tasks:
            return
        worker = self.world.begin(slot, tasks.pop(which % len(tasks)), script)
        worker.dies_in_page = page and dies
        self._advance(slot, steps, dies=dies)

    @rule(which=PICK, steps=STEPS, dies=DIES)
    def go_on(self, which: int, steps: int, dies: bool) -> None:
        if not self._slots(busy=True):
            return
        busy = self._slots(busy=True)
        self._advance(busy[which % len(busy)], steps, dies=dies)

    take_a_task = take_one_more = take_task  # a rule of several names is chosen more often
    go_further = go_on

    @rule(which=PICK, what=st.sampled_from(["renew", "stop", "before", "after"]))
    def disturb(self, which: int, what: str) -> None:
        """Its server is slow; it gets SIGTERM; the database fails around its next write."""
        if not self._slots(busy=True):
            return
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
        if not self.world.is_in_hand():
            return
        self.world.crash_database()
        connection.close()

    # What holds after every step.

    @invariant()
    def nothing_forbidden_happened(self) -> None:
        self.visited.looks += 1
        if self.world.violation:
            raise self.world.violation

    @invariant()
    def the_database_is_as_the_model_says(self) -> None:
        rows, counts, batches = look()
        known = self.world.ledger.mails.items()
        assert {pk: row.open for pk, row in rows.items()} == {
            pk: Row(one.message, one.state, one.batch, one.uncertainties, one.crashes).open
            for pk, one in known
        }
        assert batches == {
            pk: (batch.worker is not None, batch.begun, batch.through)
            for pk, batch in self.world.ledger.batches.items()
            if batch.is_open
        }
        self._check_arrows(rows)
        self._check_counts(rows, counts)

    @invariant()
    def a_delivery_has_one_live_lease_at_most(self) -> None:
        """I3: by the owners' own clocks, whatever the database says."""
        now, owners = self.world.clock.now, Counter[int]()
        for worker in self.world.workers.values():
            if worker.claim and now < worker.claim.lease.deadline:
                owners[worker.claim.batch_id] += 1
        assert all(count == 1 for count in owners.values()), f"two live leases: {owners}"

    def _check_arrows(self, rows: dict[int, Row]) -> None:
        for pk, row in rows.items():
            old = self.before.get(pk, row.state)
            assert row.state == old or row.state in ARROWS[old], f"I9: {pk}: {old} → {row.state}"
        self.before = {pk: row.state for pk, row in rows.items()}

    @staticmethod
    def _check_counts(rows: dict[int, Row], counts: dict[int, dict[str, int]]) -> None:
        """The ledger balances: a Message's counts match its rows."""
        found = Counter((row.message, row.state) for row in rows.values())
        for pk, message in counts.items():
            assert message == {state: found[pk, state] for state in ARROWS}, f"uneven: {pk}"

    @staticmethod
    def _send_in_a_transaction_that_fails(kind: Kind) -> None:
        with suppress(ZeroDivisionError), transaction.atomic():
            outbox.send(receipt(), kind=kind)
            raise ZeroDivisionError

    # The end: the faults stop, and everything finds its way.

    def teardown(self) -> None:
        try:
            if self.world.violation is None and not self._is_failing():
                self.drain()
                self.visited.examples += 1
        finally:
            self.world.close()
            self._empty()
            self.visited.on_example(self.visited)

    def drain(self) -> None:
        """All accepted mail leaves or is held, without a person except for what is paused."""
        for slot in self._slots(busy=True):
            self.world.workers[slot.number].connection.script.clear()
            self._advance(slot, 1000, dies=False)
        for message in Message.objects.filter(paused_at__isnull=False, cancelled_at=None):
            outbox.resume(message)
            self._tell(ledger.Flagged(message.pk, False, False))
        for _ in range(40):
            if self._is_over():
                break
            self._let_everything_leave()
            self.before = {pk: mail.state for pk, mail in self.world.ledger.mails.items()}
            self.the_database_is_as_the_model_says()
        assert self._is_over(), "something is stuck"
        self._assert_all_is_accounted_for()

    def _let_everything_leave(self) -> None:
        with override_settings(MAIL_BATCH_LIMIT=100, MAIL_WINDOW=100):
            self.rescue(waits=True)
            self.keep_up(waits=False)
            self.dispatch("well")
            while self.world.broker.tasks:
                self.world.begin(self.slots[0], self.world.broker.tasks.pop(0), [])
                self._advance(self.slots[0], 1000, dies=False)

    def _assert_all_is_accounted_for(self) -> None:
        assert not Attempt.objects.filter(phase="content", code="554").exists(), "erased too early"
        unsure = Delivery.objects.filter(state="uncertain", due_at__isnull=False)
        assert not unsure.filter(message__cancelled_at=None).exists()
        for one in Broadcast.objects.filter(message__cancelled_at=None).select_related("message"):
            assert (one.message.recipients, one.message.duplicates) == (TOLD, FOLDED), "I8"
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
            self.visited.crash_points[slot.died_at] += 1
            self.world.broker.tasks.append(self.world.workers[slot.number].task)
        if not slot.is_busy:
            self.world.workers.pop(slot.number)

    def _has_room(self) -> bool:
        """A shop that has sold enough: the faults come upon few mails, not upon many."""
        waiting = sum(mail.state == "queued" for mail in self.world.ledger.mails.values())
        return waiting < ROOM and len(self.messages) < ROOM

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
