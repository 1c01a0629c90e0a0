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
from mail.relay.leader import Lead
from mail.relay.pending_work import Work
from mail.relay.publisher import BrokerUnavailable, Publisher
from mail.relay.rescue import Rescuer

logger = logging.getLogger(__name__)

UPKEEP_EVERY = 0.5  # seconds
CHECK_EVERY = 5.0
AFTER_TROUBLE = 1.0


class Relay:
    """One relay process."""

    def __init__(self) -> None:
        self.lead = Lead()
        self.publisher = Publisher()
        self.rescuer = Rescuer()
        self.upkeep_at = 0.0
        self.leads: bool | None = None
        self.broker_retry_at = 0.0
        self.check_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Lead whenever the lead is free, until `stop` is set."""
        while not stop.is_set():
            stop.wait(self.turn())
        self.publisher.close()
        try:
            self.lead.release()
        except DatabaseError:
            logger.warning("the lead could not be given back")
        connection.close()

    def turn(self) -> float:
        """Do once whatever is due; return how many seconds to rest."""
        try:
            if not self._leads():
                return settings.MAIL_RELAY_INTERVAL + random.random()  # noqa: S311
            turned, published = self._upkeep(), self._dispatch()
            return 0 if turned or _is_pressed(published) else settings.MAIL_RELAY_INTERVAL
        except DatabaseError as error:
            logger.warning("the database is away: %s", type(error).__name__)
            connection.close()
            self.leads = False
            return AFTER_TROUBLE

    def _leads(self) -> bool:
        leads = self.lead.holds()
        if leads != self.leads:
            logger.info("relay %s %s", self.lead.holder, "leads" if leads else "waits")
        self.leads = leads
        return leads

    def _upkeep(self) -> int:
        """Carry out a page of what follows from flags and clocks; return how many rows it turned."""
        if time.monotonic() < self.upkeep_at:
            return 0
        busy = self.rescuer.rescue() + maintenance.turn_rows() + maintenance.requeue_unsure()
        maintenance.erase_contents()
        self.upkeep_at = time.monotonic() + (0 if busy else UPKEEP_EVERY)
        return busy

    def _check_queues(self) -> None:
        if time.monotonic() >= self.check_at:
            self.publisher.check()
            self.check_at = time.monotonic() + CHECK_EVERY

    def _dispatch(self) -> int:
        """Publish what is due, receipts first; a broker in trouble is left alone for a moment."""
        if time.monotonic() < self.broker_retry_at:
            return 0
        try:
            published = self._publish(pending_work.look())
            self._check_queues()
            return published
        except BrokerUnavailable as error:
            logger.warning("the broker is away: %s", error)
            self.broker_retry_at = time.monotonic() + AFTER_TROUBLE
            return 0

    def _publish(self, work: Work) -> int:
        """Publish a lane's expansions, then its Batches, behind which an expansion would wait."""
        published = 0
        for lane in Lane:
            if work.unexpanded:
                published += dispatch.dispatch_expansions(lane, self.publisher)
            if lane in work.unpublished:
                published += dispatch.republish(lane, self.publisher)
            if lane in work.due:
                published += dispatch.dispatch(lane, self.publisher)
        return published


def _is_pressed(published: int) -> bool:
    """Whether a rest would let workers wait: the window of a lane empties fast.

    Else what falls due in a moment shares one turn and one Batch, and each turn leaves the window
    full or nothing due.
    """
    return bool(2 * published >= settings.MAIL_WINDOW)
