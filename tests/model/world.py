"""The real functions of mail between a fake outside and the pure model, which follows them.

Every write of a worker is a point where it may park, die, or lose the database, before or after
the commit.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import Any
from unittest import mock

from django.db import OperationalError
from django.test import override_settings

from mail.ledger.states import State
from mail.models import Batch, Delivery, Message
from mail.relay import rescue
from mail.relay.rescue import Rescuer
from mail.transport.replies import Reply
from mail.worker import batch_run, claims, database, expansion, holds, lease
from mail.worker.batch_run import BatchRun
from mail.worker.claims import Claim, ClaimedDelivery
from mail.worker.results import Results
from mail.worker.slot import SLOT
from tests.model import ledger
from tests.model.ledger import Ledger
from tests.model.outside import Broker, Clock, FakeConnection, Scripted, Task
from tests.model.slots import Died, Slot
from tests.model.visited import Visited

LEASE = timedelta(hours=1)  # much longer than any example takes in real time
SETTINGS = {
    "MAIL_LEASE": LEASE,
    "MAIL_UNCERTAIN_WAIT": timedelta(hours=2),
    "MAIL_REPUBLISH_AFTER": timedelta(hours=1),
    "MAIL_BATCH_LIMIT": 4,
    "MAIL_WINDOW": 3,
}


class World:
    """One example: a shop's mail, three worker slots, a relay, and everything that can go wrong."""

    def __init__(self, slots: Sequence[Slot], visited: Visited) -> None:
        self.slots, self.visited = slots, visited
        self.ledger = Ledger()
        self.broker, self.clock, self.rescuer = Broker(), Clock(), Rescuer()
        self.server_started = "1"
        self.violation: Exception | None = None
        self.mail_of: dict[tuple[str, str], int] = {}  # Message-ID and recipient
        self.workers: dict[int, Worker] = {}  # by the number of their slot
        self.claimed_under: dict[int, str] = {}  # by Batch: the database server's start
        self.alive_at: dict[int, float] = {}  # by Batch: the last sign of life
        self.volatile: dict[
            int, tuple[int, bool]
        ] = {}  # checkpoints that no commit has flushed yet
        self.patches = ExitStack()
        self._patch()

    def close(self) -> None:
        for slot in self.slots:
            if slot.is_busy:
                slot.kill()
        self.patches.close()

    def tell(self, event: Any) -> None:
        """Let the model follow what happened. What it forbids is kept, wherever it was raised."""
        before = self.ledger
        try:
            self.ledger = ledger.step(event, before)
            ledger.check(self.ledger)
            self._note(type(event).__name__, before)
        except AssertionError as error:
            self.violation = self.violation or error
            raise

    def _note(self, event: str, before: Ledger) -> None:
        """Remember which arrows of the model were passed, and by what."""
        for pk, mail in self.ledger.mails.items():
            old = before.mails.get(pk)
            if old is not mail and (
                old is None or (old.state, old.batch) != (mail.state, mail.batch)
            ):
                was = f"{old.state}{' in a batch' * (old.batch is not None)}" if old else "new"
                now = f"{mail.state}{' in a batch' * (mail.batch is not None)}"
                self.visited.transitions[f"{event}: {was} → {now}"] += 1

    def flush(self) -> None:
        """A commit has waited for the disk: earlier checkpoints are durable."""
        self.volatile.clear()

    def recorded(self, message: Message) -> None:
        """Let the model know the new Deliveries of a Message."""
        fresh = [d for d in message.deliveries.all() if d.pk not in self.ledger.mails]
        for one in fresh:
            self.mail_of[one.message_id_header, one.address] = one.pk
        pks, holds = [one.pk for one in fresh], message.on_uncertain == "hold"
        self.tell(ledger.Recorded(message.pk, pks, holds))

    def begin(self, slot: Slot, task: Task, script: Sequence[Scripted | Exception]) -> "Worker":
        worker = Worker(self, slot, task)
        worker.connection.script = list(script)
        self.workers[slot.number] = worker
        slot.begin(worker.work)
        return worker

    def renew(self, worker: "Worker") -> None:
        """A parked worker renews its lease, as while it waits for a slow server."""
        claim, run = worker.claim, worker.run
        if claim is None or run is None:
            return
        claim.checkpoint.writer = worker.writer  # not a point to park at
        worker.slot.do(run.while_waiting)
        claim.checkpoint.writer = worker
        if Batch.objects.owned_by(claim.batch_id, claim.lease.token).exists():
            self.alive_at[claim.batch_id] = self.clock.now
            through_id = run.results.through_id
            self.tell(ledger.Marked(claim.batch_id, worker.number, through_id, False))

    def is_in_hand(self) -> bool:
        """Whether a Batch is claimed, by a worker that lives or is dead."""
        return any(one.is_open and one.worker for one in self.ledger.batches.values())

    def crash_database(self) -> None:
        """PostgreSQL crashes and recovers: checkpoints that nothing has flushed are lost."""
        self.server_started += "1"
        for batch_id, (through, begun) in self.volatile.items():
            Batch.objects.filter(pk=batch_id).update(through_id=through, begun=begun)
            self.tell(ledger.MarksLost(batch_id, through, begun))
        self.flush()

    def pass_by(self, time: timedelta) -> None:
        """All moments on record grow older by as much; so must those that live in memory."""
        self.clock.pass_by(time)
        self.rescuer.seen = {
            (pk, token, until and until - time): since
            for (pk, token, until), since in self.rescuer.seen.items()
        }
        for worker in self.workers.values():
            if worker.claim:
                worker.claim.lease.claimed_at -= time

    def _patch(self) -> None:
        def replace(module: Any, name: str, new: Any) -> None:
            self.patches.enter_context(mock.patch.object(module, name, new))

        self.patches.enter_context(override_settings(**SETTINGS))
        for module in (batch_run, database, expansion, rescue):
            replace(module, "time", self.clock)
        for module in (claims, rescue):
            replace(module, "server_started", lambda: self.server_started)
        replace(lease, "boottime", self.clock.monotonic)
        replace(holds, "hold_time", lambda first, in_a_row: LEASE / 2)
        replace(expansion, "PAGE", 2)
        replace(expansion, "LEASE", LEASE)
        page, insert = expansion.expand_page, expansion._insert
        replace(expansion, "expand_page", lambda pk: self._worker().expand_page(pk, page))
        replace(expansion, "_insert", lambda *given: self._worker().insert(insert, *given))
        real_take, real_settle = claims.take, rescue.settle
        replace(
            claims, "take", lambda *given, **own: self._worker().take(real_take, *given, **own)
        )
        replace(rescue, "settle", lambda *lease: self._settle(real_settle, *lease))
        for name in ("settle", "expire", "release", "keep", "close"):
            replace(Results, name, self._watched(name, getattr(Results, name)))
        begin = BatchRun.__init__

        def begun(run: BatchRun, *given: Any) -> None:
            begin(run, *given)
            self._worker().run = run

        replace(BatchRun, "__init__", begun)

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given: self._worker().record(name, real, *given)

    def _settle(self, real: Callable[..., bool], pk: int, *lease: Any) -> bool:
        settled = real(pk, *lease)
        if settled:
            silent = self.clock.now - self.alive_at[pk]
            assert silent >= 2 * LEASE.total_seconds(), "I13: rescued too early"
            missing = self.claimed_under[pk] != self.server_started
            self.tell(ledger.Settled(pk, marks_missing=missing))
        return settled

    def _worker(self) -> "Worker":
        (worker,) = (w for w in self.workers.values() if w.slot is threading.current_thread())
        return worker


class Worker:
    """What one slot does with one task."""

    def __init__(self, world: World, slot: Slot, task: Task) -> None:
        self.world, self.slot, self.task = world, slot, task
        self.connection = FakeConnection(slot.point, self._taken)
        self.claim: Claim | None = None
        self.run: BatchRun | None = None
        self.number = 0
        self.is_stopping = False
        self.dies_in_page = False
        self.writer: Any = None
        self.hiccup = ""  # where the database goes away once: "before" or "after" a commit

    def work(self) -> None:
        name, pk, _ = self.task
        self.slot.point("task taken")
        if name == "mail.expand_broadcast":
            expansion.expand(pk, is_stopping=lambda: self.is_stopping)
            return
        SLOT.connections = self.connection  # type: ignore[assignment]
        with suppress(ZeroDivisionError):  # a fault of ours: the rescue finds the culprit
            batch_run.deliver(pk, is_stopping=lambda: self.is_stopping)
        self.claim = self.run = None

    def take(
        self, real: Callable[..., Claim | None], batch_id: int, *token: Any, **own: Any
    ) -> Claim | None:
        self.slot.point("before the claim")
        self._hiccup("before")
        claim = real(batch_id, *token, **own)
        if claim is None:
            return None
        self.world.flush()
        self.world.claimed_under[batch_id] = self.world.server_started
        self.world.alive_at[batch_id] = self.world.clock.now
        if not self.number:  # told twice when the database went away in between
            self.number = len(self.world.claimed_under)
            self.world.tell(ledger.Claimed(batch_id, self.number))
        self.claim = claim
        self.slot.point("claimed")
        self._hiccup("after")
        self.writer, claim.checkpoint.writer = claim.checkpoint.writer, self
        return claim

    def expand_page(self, message_id: int, real: Callable[[int], int | None]) -> int | None:
        self.slot.point("before a page")
        rows = real(message_id)
        self.world.flush()
        if rows is not None:
            self.world.recorded(Message.objects.get(pk=message_id))
        self.slot.point("after a page")
        return rows

    def insert(self, real: Callable[..., int], *given: Any) -> int:
        """Write a page, and perhaps die before it is committed."""
        rows = real(*given)
        if self.dies_in_page:
            self.slot.died_at = "inside a page, not committed"
            raise Died
        return rows

    def write(self, through_id: int, *, begun: bool) -> bool | None:
        """The writer of the checkpoint."""
        self.slot.point("before the mark")
        assert self.claim is not None
        batch_id = self.claim.batch_id
        batch = Batch.objects.get(pk=batch_id)
        changed = self.writer.write(through_id, begun=begun)
        if changed is None:
            return None
        known = self.world.volatile.get(batch_id, (batch.through_id, batch.begun))
        self.world.volatile[batch_id] = known
        if getattr(self.writer, "wait_for_disk", self._holds()):
            self.world.flush()
        self.world.alive_at[batch_id] = self.world.clock.now
        self.world.tell(ledger.Marked(batch_id, self.number, through_id, begun))
        self.slot.point("marked")
        return bool(changed)

    def close(self, through_id: int) -> None:
        """The writer of the checkpoint closes the Batch."""
        self.writer.close(through_id)

    def record(self, name: str, real: Callable[..., Any], *given: Any) -> Any:
        """One of the writes of the results, with everything that may happen around it."""
        self.slot.point(f"before {name}")
        self._hiccup("before")
        result = real(*given)
        self.world.flush()
        getattr(self, f"_wrote_{name}")(*given)
        self.slot.point(f"after {name}")
        self._hiccup("after")
        return result

    def _hiccup(self, where: str) -> None:
        if self.hiccup == where:
            self.hiccup = ""
            raise OperationalError("the database is unavailable")

    def _wrote_settle(self, results: Results, row: ClaimedDelivery, reply: Reply, _: Any) -> None:
        told = self.connection.last
        if told is None or reply is not told.reply:  # the mail could not be rendered
            assert not self.world.ledger.is_owned(results.claim.batch_id, self.number)
            return
        state = told.state
        if state == State.QUEUED and Delivery.objects.filter(pk=row.pk, code="expired").exists():
            state = State.FAILED
        if state:
            self._tell(ledger.Answered, row.pk, state)

    def _wrote_expire(self, results: Results, row: ClaimedDelivery) -> None:
        self._tell(ledger.Answered, row.pk, State.FAILED)

    def _wrote_release(self, results: Results, messages: Any) -> None:
        self._tell(ledger.Released, messages, results.through_id)

    def _wrote_keep(self, results: Results) -> None:
        self._tell(ledger.Kept, [one.delivery.pk for one in results.accepted], False)

    def _wrote_close(self, results: Results) -> None:
        self._tell(ledger.Kept, [one.delivery.pk for one in results.accepted], True)

    def _tell(self, event: Callable[..., Any], *facts: Any) -> None:
        assert self.claim is not None
        self.world.tell(event(self.claim.batch_id, self.number, *facts))

    def _taken(self, message_id: str, recipient: str) -> None:
        self.world.tell(ledger.Taken(self.world.mail_of[message_id, recipient]))

    def _holds(self) -> bool:
        assert self.claim is not None
        return any(m.on_uncertain == "hold" for m in self.claim.messages.values())


def close_marks() -> None:
    """Close the sessions a slot keeps for its checkpoints; runs in its thread."""
    SLOT.sessions.close()
