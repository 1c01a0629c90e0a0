"""The ledger: what was requested, what is on record, what the SMTP server accepted. Pure.

The terms are Jepsen's. A mail is identified by (Message-ID, envelope recipient).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Mail = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A Delivery as it is on record at the end."""

    pk: int
    message: int
    mail: Mail
    state: str
    kind: str
    holds: bool
    code: str = ""
    unsure: int = 0
    """How many of its Attempts ended uncertain."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A client's request: the mails it asks for, as (operation, recipient)."""

    operation: str
    recipients: frozenset[str]
    acknowledged: bool
    message: int | None
    """The Message on record for it, if there is one."""


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A rescued Batch: how many of its mails became uncertain."""

    batch: int
    unsure: int
    database_crashed: bool
    """Whether PostgreSQL went down between the claim and the rescue."""


@dataclass
class Ledger:
    attempted: int = 0
    acknowledged: int = 0
    recovered: int = 0
    """Never acknowledged, yet on record."""
    recorded: int = 0
    delivered: int = 0
    lost: int = 0
    duplicated: int = 0
    unexpected: int = 0
    """Accepted by the SMTP server without being on record."""
    uncertain: int = 0
    """Attempts that ended uncertain, resent since or not."""
    unsure_by_death: int = 0
    unsure_by_double_death: int = 0
    """Of these, those of workers that died together with PostgreSQL."""
    duplicated_of_kinds_that_hold: int = 0
    states: dict[str, int] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def balance(
    *,
    wanted: Iterable[Wanted],
    rows: Iterable[Row],
    taken: Mapping[Mail, int],
    counts: Mapping[int, Mapping[str, int]],
    losses: Iterable[Loss],
) -> Ledger:
    """Balance the three records against each other.

    `taken` is how many copies of each mail the server took, `counts` what each Message counts by
    state, `losses` the Batches of dead workers.
    """
    ledger = Ledger()
    rows = list(rows)
    _count_wanted(ledger, wanted, rows)
    _count_rows(ledger, rows, taken)
    _compare_counts(ledger, rows, counts)
    _judge_losses(ledger, losses)
    return ledger


def _count_wanted(ledger: Ledger, wanted: Iterable[Wanted], rows: list[Row]) -> None:
    recorded: dict[int, set[str]] = defaultdict(set)
    for row in rows:
        recorded[row.message].add(row.mail[1])
    for one in wanted:
        ledger.attempted += len(one.recipients)
        found = recorded[one.message] & one.recipients if one.message else frozenset()
        missing = one.recipients - found
        if one.acknowledged:
            ledger.acknowledged += len(one.recipients)
            ledger.lost += len(missing)
            for recipient in sorted(missing)[:3]:
                ledger.violations.append(f"lost: {one.operation} to {recipient} is not on record")
        else:
            ledger.recovered += len(found)
            if found and missing:
                ledger.violations.append(f"torn: {one.operation} is there in part")


def _count_rows(ledger: Ledger, rows: list[Row], taken: Mapping[Mail, int]) -> None:
    ledger.recorded = len(rows)
    ledger.states = dict(Counter(row.state for row in rows))
    ledger.codes = dict(Counter(row.code for row in rows if row.state == "failed"))
    ledger.unexpected = len(taken.keys() - {row.mail for row in rows})
    if ledger.unexpected:
        ledger.violations.append(f"unexpected: {ledger.unexpected} mails that nobody recorded")
    for row in rows:
        copies = taken.get(row.mail, 0)
        ledger.delivered += copies > 0
        ledger.uncertain += row.unsure
        _judge(ledger, row, copies)


def _judge(ledger: Ledger, row: Row, copies: int) -> None:
    if row.state == "queued":
        ledger.violations.append(f"stuck: delivery {row.pk} is still queued")
    if not copies and row.state in ("sent", "queued"):
        ledger.lost += 1
        ledger.violations.append(f"lost: delivery {row.pk} is {row.state} and never arrived")
    if copies and row.state in ("failed", "cancelled"):
        ledger.violations.append(f"untrue: delivery {row.pk} is {row.state} and arrived")
    ledger.duplicated += max(0, copies - 1)
    if copies > 1 + row.unsure:
        ledger.violations.append(
            f"duplicated: delivery {row.pk} arrived {copies} times, uncertain {row.unsure} times"
        )
    if row.holds and copies > 1:
        ledger.duplicated_of_kinds_that_hold += copies - 1
        ledger.violations.append(f"duplicated: delivery {row.pk} of a kind that holds")


def _compare_counts(
    ledger: Ledger, rows: list[Row], counts: Mapping[int, Mapping[str, int]]
) -> None:
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for row in rows:
        found[row.message][row.state] += 1
    for message, said in counts.items():
        if {state: count for state, count in said.items() if count} != dict(found[message]):
            ledger.violations.append(
                f"uneven: message {message} counts {dict(said)}, has {dict(found[message])}"
            )


def _judge_losses(ledger: Ledger, losses: Iterable[Loss]) -> None:
    for loss in losses:
        if loss.database_crashed:
            ledger.unsure_by_double_death += loss.unsure
            continue
        ledger.unsure_by_death += loss.unsure
        if loss.unsure > 1:
            ledger.violations.append(
                f"unsure: batch {loss.batch} left {loss.unsure} uncertain mails; one is the limit"
            )
