"""Busy processes beside the tests, to show that no test depends on an idle machine."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: sum(range(100_000))"
"""Use a whole core until the parent process has ended."""


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """Start that many processes, each of which uses a whole core."""
    started = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]  # noqa: S603
    try:
        yield
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()
