"""Watchdog: the relay runs in its own thread, and the main thread ensures that it never hangs.

Each wait of the publisher has a bound, but not everything beneath it: a name server that does not
reply, a TLS peer that never closes. A relay that is stuck there restarts: the same process with
the same command line. After SIGTERM it ends within ten seconds, whatever it waits for.
"""

import logging
import os
import sys
import threading

from mail.relay.loop import Relay

logger = logging.getLogger(__name__)

LOOK_EVERY = 0.5  # seconds
STUCK_AFTER = 60.0  # seconds in one call to the broker, whose own waits have five each
LAST = 8.5  # seconds from the signal to the end


def run(relay: Relay, stop: threading.Event) -> None:
    """Let a relay work until `stop` is set; raises what it raises.

    Call it in the main thread: only there do signals arrive while the relay hangs.
    """
    failures: list[Exception] = []

    def work() -> None:
        try:
            relay.run(stop)
        except Exception as error:
            failures.append(error)

    worker = threading.Thread(target=work, name="relay", daemon=True)
    worker.start()
    while worker.is_alive() and not stop.is_set():
        worker.join(LOOK_EVERY)
        if relay.publisher.busy_for() > STUCK_AFTER:
            _restart()
    worker.join(LAST)
    if worker.is_alive():
        logger.error("still running after %s s; killed", LAST)
        os._exit(1)
    if failures:
        raise failures[0]


def _restart() -> None:
    """Become a fresh process; the leader's lease runs out or is taken over."""
    logger.error("stuck in a call to the broker for %s s; restarting", STUCK_AFTER)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
