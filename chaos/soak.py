"""`soak`: a fault a minute for a long time, while each process's memory is sampled."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from chaos.plan import Fault
from chaos.stack import Stack
from tests.harness.sessions import members

EVERY = 59.0  # seconds between two faults, at least
SAMPLE = 5.0
WARM_UP = 120.0  # seconds of a process's life before its memory counts
SHORTEST = 120.0  # seconds a process must have lived after that to be judged
LIMIT = 0.05  # growth after the warm-up


def for_minutes(plan: Iterator[Fault], minutes: float) -> Iterator[Fault]:
    """The faults that begin within that many minutes."""
    left = minutes * 60
    for fault in plan:
        left -= fault.after
        if left < 0:
            return
        yield fault


@dataclass(frozen=True)
class Sample:
    """The memory of a process in KiB. PSS divides shared pages among the processes."""

    at: float
    rss: int
    pss: int


class Memory:
    """Samples the memory of all processes of web, relays and workers."""

    def __init__(self, stack: Stack, *, warm_up: float = WARM_UP) -> None:
        self.stack, self.warm_up = stack, warm_up
        self.samples: dict[tuple[str, int], list[Sample]] = defaultdict(list)
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def end(self) -> None:
        self.ending.set()
        self.thread.join(SAMPLE + 1)

    def growth(self) -> list[dict[str, Any]]:
        """The growth of each process that lived long enough, the largest first."""
        found = [
            {"process": name, "pid": pid} | grown
            for (name, pid), samples in self.samples.items()
            if (grown := growth(samples, warm_up=self.warm_up))
        ]
        return sorted(found, key=lambda one: -one["growth"])

    def _watch(self) -> None:
        while not self.ending.wait(SAMPLE):
            for unit in self.stack.units.values():
                if unit.name.startswith(("web", "relay", "worker")) and (main := unit.pid):
                    for pid in members(main):
                        part = "main" if pid == main else "child"
                        with suppress(OSError, KeyError):
                            self.samples[f"{unit.name} {part}", pid].append(sample(pid))


def growth(samples: list[Sample], *, warm_up: float) -> dict[str, Any]:
    """The median of the last fifth of a process's life against that of the first; {}: too short.

    Judged is RSS. PSS moves as well when a sibling dies that shared pages, and is there to see.
    """
    warm = [one for one in samples if one.at - samples[0].at >= warm_up]
    if not warm or warm[-1].at - warm[0].at < SHORTEST:
        return {}
    part = max(1, len(warm) // 5)
    first, last = warm[:part], warm[-part:]
    rss = [median(one.rss for one in some) for some in (first, last)]
    pss = [median(one.pss for one in some) for some in (first, last)]
    return {
        "seconds": round(warm[-1].at - warm[0].at),
        "rss_kib": rss,
        "pss_kib": pss,
        "growth": round(rss[1] / rss[0] - 1, 4),
        "rss_kib_by_minute": [one.rss for one in samples[:: round(60 / SAMPLE)]],
    }


def sample(pid: int) -> Sample:
    """The memory of a process now. Raises OSError when it is gone."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    fields = dict(line.split()[:2] for line in lines[1:])
    return Sample(time.monotonic(), int(fields["Rss:"]), int(fields["Pss:"]))


def lines(grown: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A line for each judged process."""
    for one in grown:
        (first, last), (pss, pss_last) = one["rss_kib"], one["pss_kib"]
        yield (
            f"  {one['process']:<16}{one['seconds']:>6} s  RSS {first / 1024:6.1f} → "
            f"{last / 1024:6.1f} MiB {one['growth']:+7.1%}   "
            f"PSS {pss / 1024:6.1f} → {pss_last / 1024:6.1f} MiB"
        )
