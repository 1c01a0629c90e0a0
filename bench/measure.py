"""What processes cost: CPU seconds from /proc, memory from smaps_rollup."""

import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
EVERY = 0.5  # seconds between two looks at the memory

Roots = Mapping[str, int]
"""The pid of a process by its name; its descendants count to it."""


@dataclass
class Usage:
    """The usage during `measured`; complete once its block has ended."""

    cpu: dict[str, float] = field(default_factory=dict)
    """User and system seconds, by name."""
    pss: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Peak of the proportional set size, MB; shared pages are counted once."""
    rss: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def total(self) -> float:
        return sum(self.cpu.values())

    def per_thousand(self, mails: int) -> dict[str, float]:
        """CPU seconds per 1,000 mails, by name."""
        return {name: round(seconds / mails * 1000, 4) for name, seconds in self.cpu.items()}


@contextmanager
def measured(roots: Roots, *, memory: bool = True) -> Iterator[Usage]:
    """Measure what the trees under `roots` use while the block runs."""
    usage, ending = Usage(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(roots, usage, ending), daemon=True)
    before = cpu(roots)
    if memory:
        watcher.start()
    try:
        yield usage
    finally:
        after = cpu(roots)
        usage.cpu = {name: after[name] - before[name] for name in roots}
        ending.set()
        if memory:
            watcher.join()


def cpu(roots: Roots) -> dict[str, float]:
    """CPU seconds of each tree so far, children that have ended included."""
    return {name: sum(map(_cpu_of, pids)) for name, pids in trees(roots).items()}


def memory(roots: Roots) -> dict[str, tuple[float, float]]:
    """PSS and RSS of each tree now, MB."""
    sizes = {}
    for name, pids in trees(roots).items():
        found = [_memory_of(pid) for pid in pids]
        sizes[name] = (sum(pss for pss, _ in found), sum(rss for _, rss in found))
    return sizes


def trees(roots: Roots) -> dict[str, list[int]]:
    """The pids of each tree, the root first."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children[int(fields[1])].append(int(entry.name))
    return {name: _descend(root, children) for name, root in roots.items()}


def _descend(pid: int, children: Mapping[int, list[int]]) -> list[int]:
    found = [pid]
    for child in children.get(pid, []):
        found += _descend(child, children)
    return found


def _watch(roots: Roots, usage: Usage, ending: threading.Event) -> None:
    while True:
        for name, (pss, rss) in memory(roots).items():
            usage.pss[name] = max(usage.pss[name], pss)
            usage.rss[name] = max(usage.rss[name], rss)
        if ending.wait(EVERY):
            return


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on (proc(5)), or none if it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def _cpu_of(pid: int) -> float:
    """utime, stime and those of the children it has waited for: fields 14 to 17."""
    return sum(map(int, _stat(pid)[11:15])) / TICKS


def _memory_of(pid: int) -> tuple[float, float]:
    found = {"Pss": 0.0, "Rss": 0.0}
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in found:
                found[name] = int(rest.split()[0]) / 1000
    return found["Pss"], found["Rss"]
