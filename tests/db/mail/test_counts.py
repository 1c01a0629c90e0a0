"""Whatever happens to the mails of a Message, in any order: its counts are the sums of its rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mail import outbox
from mail.ledger import transitions
from mail.models import Batch, Delivery, Lane, Message, Transport
from mail.relay import dispatch, maintenance, rescue
from mail.relay.flags import FlagPropagation
from mail.transport.classification import classify
from mail.transport.replies import Phase, Reply
from mail.worker import batch_run, claims
from mail.worker.checkpoint import OrmWriter
from mail.worker.results import Results
from tests.db.mail.delivering import (
    LOST,
    TAKEN,
    Script,
    accepted_of,
    assert_counts_agree,
    make_due,
    results_of,
    said,
    send,
    take,
)
from tests.unit.mail.mails import NOTICE

pytestmark = pytest.mark.django_db

State = Delivery.State
ANSWERS = [
    TAKEN,
    TAKEN,
    LOST,
    said(550, "5.1.1"),
    said(450, "4.2.1"),
    said(421, "4.3.2", phase=Phase.DOT),
    said(421, phase=Phase.MAIL),
    said(251, phase=Phase.DOT),
    Reply(phase=Phase.DATA),
]
FINAL = {State.SENT, State.FAILED, State.CANCELLED}
story = partial(
    settings,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def orm_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints in Django's session, which sees what the test has not committed."""
    monkeypatch.setattr(
        claims, "writer_for", lambda batch_id, token, *_, **__: OrmWriter(batch_id, token)
    )


steps = st.lists(
    st.one_of(
        st.tuples(st.just("deliver"), st.lists(st.sampled_from(ANSWERS), min_size=4, max_size=4)),
        st.tuples(st.just("die"), st.tuples(st.integers(0, 4), st.booleans(), st.booleans())),
        st.tuples(
            st.sampled_from(
                ["pause", "resume", "cancel", "resend", "mark_sent", "propagate", "unsure", "late"]
            ),
            st.integers(0, 1),
        ),
    ),
    max_size=12,
)


@contextmanager
def undone() -> Iterator[None]:
    """A transaction that leaves nothing."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


class World:
    """Two Messages of two kinds, and everything that can happen to them."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.messages = [send(*"abc"), send(*"xyz", kind=NOTICE)]
        self.abandoned: list[Results] = []

    def deliver(self, replies: list[Reply]) -> None:
        """Deliver what is due; the server gives these replies in turn."""
        make_due()
        for number, name in enumerate("abcxyz"):
            self.script.on(name, replies[number % len(replies)])
        for batch in self.bound():
            batch_run.deliver(batch.pk, is_stopping=lambda: False)

    def die(self, how: tuple[int, bool, bool]) -> None:
        """A worker claims what is due and dies at some mail; it is rescued."""
        passed, begun, crashed = how
        make_due()
        for batch in self.bound():
            claim = take(batch)
            done = claim.deliveries[:passed]
            accepted = claim.deliveries[: passed + begun]
            known = accepted_of(claim, after=1.5)[: len(accepted)]
            self.abandoned.append(results_of(claim, known))
            Batch.objects.filter(pk=batch.pk).update(
                begun=begun or bool(passed),
                through_id=done[-1].pk if done else 0,
                lease_until=timezone.now() - timedelta(seconds=1),
                **({"server_started": "long ago"} if crashed else {}),
            )
            batch.refresh_from_db()
            assert rescue.settle(batch.pk, batch.token, batch.lease_until)

    def late(self, _: int) -> None:
        """A worker that was taken for dead writes its results."""
        for results in self.abandoned:
            results.close()
            reply = said(550)
            for one in results.claim.deliveries:
                results.settle(one, reply, classify(reply))
        self.abandoned = []

    def pause(self, which: int) -> None:
        outbox.pause(self.messages[which])

    def resume(self, which: int) -> None:
        if not Message.objects.get(pk=self.messages[which].pk).cancelled_at:
            outbox.resume(self.messages[which])

    def cancel(self, which: int) -> None:
        outbox.cancel(self.messages[which])

    def resend(self, which: int) -> None:
        outbox.resend(self.messages[which].deliveries.all(), include_uncertain=bool(which))

    def mark_sent(self, which: int) -> None:
        outbox.mark_sent(self.messages[which].deliveries.all())

    def propagate(self, _: int) -> None:
        FlagPropagation().apply()

    def unsure(self, _: int) -> None:
        maintenance.requeue_uncertain()

    def bound(self) -> list[Batch]:
        Transport.objects.update(held_until=None)
        return [batch for lane in Lane for batch in dispatch.bind(lane, 10)]


def assert_nothing_is_lost() -> None:
    """Six recipients, each in one state; only queued ones are bound or wait for a time."""
    rows = list(Delivery.objects.select_related("message"))
    assert len(rows) == 6
    for row in rows:
        if row.state == State.QUEUED:
            assert row.due_at is not None
            assert row.batch_id is None
        if row.state in FINAL:
            assert (row.due_at, row.settled_at is not None) == (None, True)
            assert not row.paused


@story(max_examples=25)
@given(steps=steps)
def test_counts_are_the_sums_of_the_rows_after_any_story(script, steps):
    """Any outcome, rescue, resend, pause and cancel in any order; and nothing is ever lost."""
    with undone():
        world = World(script)
        for step, argument in steps:
            getattr(world, step)(argument)
            rescue_rest()
            assert_counts_agree()
            assert_nothing_is_lost()


def rescue_rest() -> None:
    """Let go of what a held or stopped lane left bound."""
    for batch in Batch.objects.filter(closed_at=None, token=None):
        transitions.release(Delivery.objects.filter(batch=batch, state=State.QUEUED))
        Batch.objects.filter(pk=batch.pk).update(closed_at=timezone.now())


@story(max_examples=10)
@given(steps=steps)
def test_every_story_ends(script, steps):
    """Whatever happened, with a server that accepts everything each mail is settled."""
    with undone():
        world = World(script)
        for step, argument in steps:
            getattr(world, step)(argument)
            rescue_rest()
        for which in (0, 1):
            world.resume(which)
        for _ in range(4):
            FlagPropagation().apply()
            world.deliver([TAKEN] * 4)
            rescue_rest()

        found = set(Delivery.objects.values_list("state", flat=True))
        assert State.QUEUED not in found
        assert not Message.objects.filter(flags_pending=True).exists()
        assert_counts_agree()
