"""Free ports, and waiting for a condition. Standard library only."""

import socket
import time
from collections.abc import Callable

PATIENCE = 120.0
"""A deadline in seconds, generous even on a busy machine; reaching it fails a test."""


class NotReady(TimeoutError):
    """The condition did not become true in time."""


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether a process listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(
    holds: Callable[[], object],
    *,
    seconds: float = PATIENCE,
    every: float = 0.02,
    what: str = "the condition",
    alive: Callable[[], str] = lambda: "",
) -> None:
    """Wait until `holds()` is true.

    Raises NotReady after `seconds`, or at once when `alive()` returns why it never will be.
    """
    end = time.monotonic() + seconds
    while not holds():
        if trouble := alive():
            raise NotReady(f"{what}: {trouble}")
        if time.monotonic() > end:
            raise NotReady(f"{what} did not come within {seconds:g} s")
        time.sleep(every)
