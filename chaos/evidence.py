"""Evidence: what the database, the SMTP log and the clients know at the end, as rows."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.load import Operation
from chaos.stack import Stack
from tests.harness import record
from tests.harness.balance import Loss, Mail, Row, Wanted

BATCHES = """
    SELECT batch.id, batch.worker, batch.size, batch.rescued,
           extract(epoch FROM batch.created_at)::float8, extract(epoch FROM claimed_at)::float8,
           extract(epoch FROM closed_at)::float8,
           (SELECT count(*) FROM mail_attempt AS attempt
             WHERE attempt.batch_id = batch.id AND attempt.outcome = 'uncertain'
              AND attempt.reply LIKE 'the worker died%')
      FROM mail_batch AS batch ORDER BY batch.id
"""
PAYMENTS = "SELECT order_number, receipt_id FROM payment_payment WHERE state = 'paid'"
NOTES = "SELECT substr(key, 7), id FROM mail_message WHERE key LIKE 'chaos:%'"
NOTICES = "SELECT id::text, message_id FROM seller_terms WHERE message_id IS NOT NULL"
READERS = "SELECT product_id, address FROM seller_subscription"


@dataclass(frozen=True)
class Batch:
    """A Batch with its times in seconds since the epoch."""

    pk: int
    worker: str
    size: int
    rescued: bool
    bound_at: float
    claimed_at: float | None
    closed_at: float | None
    unsure: int

    @property
    def worker_pid(self) -> int:
        return int(self.worker.split(":")[1]) if self.worker else 0


@dataclass
class Evidence:
    """All records of a run."""

    wanted: list[Wanted]
    rows: list[Row]
    taken: Counter[Mail]
    taken_at: list[float]
    counts: dict[int, dict[str, int]]
    batches: list[Batch]

    def losses(self, crashes: Sequence[float]) -> list[Loss]:
        """The Batches of dead workers; `crashes` is when PostgreSQL went down."""
        return [
            Loss(
                batch=batch.pk,
                unsure=batch.unsure,
                database_crashed=any(
                    batch.claimed_at <= crash <= batch.closed_at for crash in crashes
                ),
            )
            for batch in self.batches
            if batch.rescued and batch.claimed_at and batch.closed_at
        ]


def gather(stack: Stack, operations: Iterable[Operation]) -> Evidence:
    """Read everything once all mails are settled."""
    with stack.database() as database:
        rows = [record.row(found) for found in database.execute(record.ROWS)]
        counts = dict(record.counts(found) for found in database.execute(record.COUNTS))
        batches = [Batch(*found) for found in database.execute(BATCHES)]
        known = {
            kind: dict(database.execute(query).fetchall())
            for kind, query in (("payment", PAYMENTS), ("note", NOTES), ("broadcast", NOTICES))
        }
        readers: dict[int, set[str]] = {}
        for product, address in database.execute(READERS):
            readers.setdefault(product, set()).add(address)
    lines = [json.loads(line) for line in Path(stack.sink_log).read_text().splitlines()]
    return Evidence(
        wanted=[_wanted(one, known, readers) for one in _distinct(operations)],
        rows=rows,
        taken=Counter((line[1], line[2]) for line in lines),
        taken_at=[line[0] for line in lines],
        counts=counts,
        batches=batches,
    )


def _distinct(operations: Iterable[Operation]) -> list[Operation]:
    """One operation per intent: a refused draft is published again later."""
    found: dict[tuple[str, str], Operation] = {}
    for one in operations:
        known = found.get((one.kind, one.ref))
        if known is None or known.acknowledged is None:
            found[one.kind, one.ref] = one
    return list(found.values())


def _wanted(
    operation: Operation, known: dict[str, dict[str, int]], readers: dict[int, set[str]]
) -> Wanted:
    if operation.kind == "broadcast":
        recipients = frozenset(readers[operation.answer["product"]])
    else:
        recipients = frozenset([f"{operation.ref}@example.com"])
    return Wanted(
        operation=f"{operation.kind} {operation.ref}",
        recipients=recipients,
        acknowledged=operation.acknowledged is not None,
        message=known[operation.kind].get(operation.ref),
    )
