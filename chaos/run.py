"""A run: start the stack, load it, carry out the plan, wait until all is settled, judge."""

import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import psycopg

from chaos.evidence import Evidence, gather
from chaos.faults import carry_out
from chaos.hit import Hit, Undo
from chaos.load import Load
from chaos.plan import Fault
from chaos.recovery import Progress, Recovery, recoveries
from chaos.stack import Stack
from tests.harness.balance import Ledger, balance
from tests.harness.sessions import members

WARM_UP = 5.0  # seconds of load before the first fault
REST = 240.0  # seconds in which all mails must be settled
STATUS_EVERY = 5.0
TERM_LIMIT = 10.0  # seconds a process may take after SIGTERM

AT_REST = """
    SELECT (SELECT count(*) FROM mail_delivery WHERE state = 'queued'),
           (SELECT count(*) FROM mail_delivery WHERE state = 'uncertain' AND due_at IS NOT NULL),
           (SELECT count(*) FROM mail_batch WHERE closed_at IS NULL),
           (SELECT count(*) FROM mail_broadcast WHERE expanded_at IS NULL)
"""
HASTEN = (
    """UPDATE mail_delivery SET due_at = now()
        WHERE state = 'queued' AND batch_id IS NULL AND due_at > now() + interval '5 s'""",
    """UPDATE mail_transport SET held_until = NULL
        WHERE held_until > now() + interval '20 s'""",
)
"""Skip the minutes of waiting: deferred mails become due and held lanes are released."""

SHOWN = """
    SELECT state, count(*) FROM mail_delivery GROUP BY state ORDER BY state
"""


@dataclass
class Outcome:
    """The observations of a run."""

    hits: list[Hit]
    ledger: Ledger
    recoveries: list[Recovery]
    load: Load
    rest_seconds: float
    term_seconds: dict[str, float]
    seconds: float
    hastened: int
    """Deferred mails and held transports whose waiting time was cut at the end."""
    trouble: list[str] = field(default_factory=list)

    @property
    def violations(self) -> list[str]:
        return [*self.ledger.violations, *self.trouble]


class Run:
    """One run on one stack."""

    def __init__(self, *, seed: int, rate: float = 12, subscribers: int = 300) -> None:
        self.stack = Stack(subscribers=subscribers)
        self.seed, self.rate = seed, rate
        self.hits: list[Hit] = []
        self.pending: list[tuple[float, Hit, Undo]] = []
        self.trouble: list[str] = []
        self.began = time.time()
        self.shown_at = 0.0
        self.hastened = 0

    def carry_out(self, plan: Iterable[Fault]) -> Outcome:
        """Do all of it; whatever happens, stop everything that was started."""
        try:
            say(
                f"starting PostgreSQL, RabbitMQ, SMTP, web, relays, workers in {self.stack.folder}"
            )
            self.stack.start()
            say(f"up after {time.time() - self.began:.1f} s")
            self.load = load = Load(
                self.stack.shop, self.stack.web_port, seed=self.seed, rate=self.rate
            )
            load.start()
            self._pass(WARM_UP)
            for fault in plan:
                self._pass(fault.after)
                self._hit(fault)
            self._end_what_is_over(all_of_it=True)
            self._pass(WARM_UP)
            say("no more faults; the load ends")
            load.stop()
            rest = self._come_to_rest()
            evidence = gather(self.stack, load.operations)
            term = self._stop()
            return self._outcome(evidence, rest, term)
        finally:
            self.stack.stop()

    def _hit(self, fault: Fault) -> None:
        hit, undo = carry_out(fault, self.stack)
        self.hits.append(hit)
        if undo is not None:
            self.pending.append((time.monotonic() + fault.lasts, hit, undo))
        say(
            f"{time.time() - self.began:7.1f} s  #{hit.number:<4} {hit.kind:<24} "
            + (f"{hit.target} {hit.pids or ''} {hit.detail}" if hit.landed else "(down already)")
        )

    def _pass(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._end_what_is_over()
            if time.monotonic() - self.shown_at > STATUS_EVERY:
                self._show()
            time.sleep(min(left, 0.2))

    def _end_what_is_over(self, *, all_of_it: bool = False) -> None:
        """End the lasting faults whose time is up."""
        now = time.monotonic()
        over = [one for one in self.pending if all_of_it or one[0] <= now]
        self.pending = [one for one in self.pending if one not in over]
        for _, hit, undo in over:
            undo()
            hit.ended_at = time.time()

    def _show(self) -> None:
        self.shown_at = time.monotonic()
        try:
            with self.stack.database() as database:
                shown = " ".join(f"{state} {count}" for state, count in database.execute(SHOWN))
        except psycopg.Error:
            shown = "database away"
        operations = list(self.load.operations)
        acknowledged = sum(one.acknowledged is not None for one in operations)
        say(
            f"{time.time() - self.began:7.1f} s  asked {len(operations)} "
            f"acknowledged {acknowledged}; {shown}"
        )

    def _come_to_rest(self) -> float:
        """Wait until nothing is due, bound or unfinished; the seconds it took."""
        began = time.monotonic()
        left: tuple[int, ...] = (1,)
        while any(left) and time.monotonic() - began < REST:
            self._pass(0.5)
            try:
                with self.stack.database() as database:
                    left = tuple(database.execute(AT_REST).fetchone() or ())
                    self.hastened += sum(database.execute(one).rowcount for one in HASTEN)
            except psycopg.Error:
                continue
        if any(left):
            self.trouble.append(
                f"hung: after {REST:.0f} s queued, uncertain and due, open batches, unfinished "
                f"broadcasts are {left}"
            )
        return time.monotonic() - began

    def _stop(self) -> dict[str, float]:
        term = self.stack.stop()
        for name, seconds in term.items():
            if seconds > TERM_LIMIT:
                self.trouble.append(f"SIGTERM: {name} took {seconds} s")
        for unit in self.stack.units.values():
            for session in unit.sessions:
                if left := members(session):
                    self.trouble.append(f"left: {unit.name} {left}")
        return term

    def _outcome(self, evidence: Evidence, rest: float, term: dict[str, float]) -> Outcome:
        crashes = [h.at for h in self.hits if h.landed and h.kind.startswith("postgresql")]
        ledger = balance(
            wanted=evidence.wanted,
            rows=evidence.rows,
            taken=evidence.taken,
            counts=evidence.counts,
            losses=evidence.losses(crashes),
        )
        progress = Progress(
            requests=[(began, began + took) for began, took in self.load.latencies],
            batches=evidence.batches,
            taken_at=sorted(evidence.taken_at),
            ups={name: unit.ups for name, unit in self.stack.units.items()},
        )
        return Outcome(
            hits=self.hits,
            ledger=ledger,
            recoveries=recoveries(self.hits, progress),
            load=self.load,
            rest_seconds=rest,
            term_seconds=term,
            seconds=time.time() - self.began,
            hastened=self.hastened,
            trouble=self.trouble,
        )


def until_kills(plan: Iterator[Fault], kills: int, hits: list[Hit]) -> Iterator[Fault]:
    """The faults of the plan, until that many SIGKILLs have hit."""
    while sum(hit.is_sigkill for hit in hits) < kills:
        yield from islice(plan, 1)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
