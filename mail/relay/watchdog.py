"""Watch: the relay works in a thread of its own, and this one sees to it that it never hangs.

Each wait of the publisher has a bound, but not all that lies under it: a name server that does
not answer, a TLS peer that never says goodbye. A relay that is stuck there begins anew: the same
process with the same command line. Told to end, it ends within ten seconds, whatever it waits for.
"""

import logging
import os
import sys
import threading

from mail.relay.loop import Relay

logger = logging.getLogger(__name__)

LOOK_EVERY = 0.5  # seconds
STUCK_AFTER = 60.0  # in one call to the broker, whose own waits have five each
LAST = 8.5


def run(relay: Relay, stop: threading.Event) -> None:
    """Let a relay work until `stop` is set; raises what it raises. Call it in the main thread.

    Only there do signals arrive while the relay hangs.
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
            _begin_anew()
    worker.join(LAST)
    if worker.is_alive():
        logger.error("not at an end after %s seconds, ended", LAST)
        os._exit(1)
    if failures:
        raise failures[0]


def _begin_anew() -> None:
    """Become a fresh process; the lead runs out, or is taken up by whoever comes first."""
    logger.error("stuck in a call to the broker for %s seconds, beginning anew", STUCK_AFTER)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
