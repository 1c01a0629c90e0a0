"""`soak`: a fault a minute for a long time, and the memory of every process of Moa meanwhile."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

from chaos.plan import Fault
from chaos.stack import Stack
from chaos.unit import members

EVERY = 59.0  # seconds between two faults, at least
SAMPLE = 5.0
WARM_UP = 120.0  # seconds of a process's life before its memory counts
SHORTEST = 300.0  # seconds a process must have lived after that to be judged
LIMIT = 0.05  # growth after the warm-up


def for_minutes(plan: Iterator[Fault], minutes: float) -> Iterator[Fault]:
    """The faults that begin within so many minutes."""
    left = minutes * 60
    for fault in plan:
        left -= fault.after
        if left < 0:
            return
        yield fault


class Memory:
    """Samples the resident memory of all processes of web, relays and workers."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.samples: dict[tuple[str, int], list[tuple[float, int]]] = defaultdict(list)
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def end(self) -> None:
        self.ending.set()
        self.thread.join(SAMPLE + 1)

    def growth(self) -> list[dict[str, Any]]:
        """How much each process grew that lived long enough, the worst first."""
        found = []
        for (name, pid), samples in self.samples.items():
            warm = [kib for at, kib in samples if at - samples[0][0] >= WARM_UP]
            lived = samples[-1][0] - samples[0][0] - WARM_UP
            if lived >= SHORTEST:
                part = max(1, len(warm) // 5)
                first, last = median(warm[:part]), median(warm[-part:])
                found.append(
                    {
                        "process": name,
                        "pid": pid,
                        "seconds": round(lived),
                        "first_kib": first,
                        "last_kib": last,
                        "growth": round(last / first - 1, 4),
                    }
                )
        return sorted(found, key=lambda one: -one["growth"])

    def _watch(self) -> None:
        while not self.ending.wait(SAMPLE):
            for unit in self.stack.units.values():
                if unit.name.startswith(("web", "relay", "worker")) and unit.pid:
                    for pid in members(unit.pid):
                        with suppress(OSError, ValueError):
                            self.samples[unit.name, pid].append((time.monotonic(), resident(pid)))


def resident(pid: int) -> int:
    """The resident memory of a process in KiB. Raises OSError when it is gone."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)
