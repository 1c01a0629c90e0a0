"""The relay's loop: what it does, in order, as long as it leads."""

import logging
import random
import threading
import time

from django.db import Error as DatabaseError
from django.db import connection

from mail.conf import settings
from mail.models import Lane
from mail.relay import dispatch, maintenance, pending_work
from mail.relay.flags import FlagPropagation
from mail.relay.leader import Leader
from mail.relay.pending_work import PendingWork
from mail.relay.publisher import BrokerUnavailable, Publisher
from mail.relay.rescue import Rescuer

logger = logging.getLogger(__name__)

MAINTENANCE_EVERY = 0.5  # seconds
CHECK_QUEUES_EVERY = 5.0
AFTER_TROUBLE = 1.0


class Relay:
    """One relay process."""

    def __init__(self) -> None:
        self.leader = Leader()
        self.publisher = Publisher()
        self.rescuer = Rescuer()
        self.flags = FlagPropagation()
        self.was_leading: bool | None = None
        self.maintenance_at = 0.0
        self.check_queues_at = 0.0
        self.broker_retry_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Lead whenever no other relay does, until `stop` is set."""
        while not stop.is_set():
            stop.wait(self.step())
        self.publisher.close()
        try:
            self.leader.step_down()
        except DatabaseError:
            logger.warning("the lease of the leader could not be freed")
        connection.close()

    def step(self) -> float:
        """Do one round of work; return how many seconds to sleep."""
        try:
            if not self._is_leading():
                return settings.MAIL_RELAY_INTERVAL + random.random()  # noqa: S311
            changed, published = self._maintain(), self._dispatch()
            return 0 if changed or _is_busy(published) else settings.MAIL_RELAY_INTERVAL
        except DatabaseError as error:
            logger.warning("the database is unavailable: %s", type(error).__name__)
            connection.close()
            self.was_leading = False
            return AFTER_TROUBLE

    def _is_leading(self) -> bool:
        leads = self.leader.is_leading()
        if leads != self.was_leading:
            logger.info("relay %s %s", self.leader.holder, "leads" if leads else "waits")
        self.was_leading = leads
        return leads

    def _maintain(self) -> int:
        """Rescue, and do a page of every kind of maintenance; return how many rows changed."""
        if time.monotonic() < self.maintenance_at:
            return 0
        changed = self.rescuer.rescue() + self.flags.apply() + maintenance.requeue_uncertain()
        maintenance.erase_contents()
        self.maintenance_at = time.monotonic() + (0 if changed else MAINTENANCE_EVERY)
        return changed

    def _dispatch(self) -> int:
        """Publish what is due, receipts first; after a broker error, pause for a moment."""
        if time.monotonic() < self.broker_retry_at:
            return 0
        try:
            published = self._publish(pending_work.look())
            self._check_queues()
            return published
        except BrokerUnavailable as error:
            logger.warning("the broker is unavailable: %s", error)
            self.broker_retry_at = time.monotonic() + AFTER_TROUBLE
            return 0

    def _publish(self, work: PendingWork) -> int:
        """Publish each lane's expansions before its Batches, or they would wait behind them."""
        published = 0
        for lane in Lane:
            if work.unexpanded:
                published += dispatch.dispatch_expansions(lane, self.publisher)
            if lane in work.unpublished:
                published += dispatch.republish(lane, self.publisher)
            if lane in work.due:
                published += dispatch.dispatch(lane, self.publisher)
        return published

    def _check_queues(self) -> None:
        if time.monotonic() >= self.check_queues_at:
            self.publisher.check()
            self.check_queues_at = time.monotonic() + CHECK_QUEUES_EVERY


def _is_busy(published: int) -> bool:
    """Whether workers would wait while this relay sleeps: the window of a lane empties fast.

    Otherwise mails due within one interval are dispatched together, in one Batch; each step leaves
    the window full or nothing due.
    """
    return bool(2 * published >= settings.MAIL_WINDOW)
