"""Slot: what one slot of a worker keeps from Batch to Batch.

A slot is a process of Celery's prefork pool or a thread of its thread pool.
"""

import threading
import time
from collections import Counter
from uuid import UUID

from django.db.models import F

from mail.content.template import CompiledTemplate
from mail.models import Lane, Transport
from mail.transport import Connections
from mail.worker.auto_pause import AutoPause
from mail.worker.checkpoint_sql import CheckpointSessions

SMOOTHING = 0.3
MEASURE_EVERY = 0.1  # seconds


class Pace:
    """The recent milliseconds per mail of each lane, by which the relay sizes Batches."""

    def __init__(self) -> None:
        self.measured_at: dict[Lane, float] = {}

    def measure(self, lane: Lane, *, mails: int, seconds: float) -> None:
        """Carry what a Batch took into the lane's recent pace.

        The slots of one process share this object: when many end at once, one is measured.
        """
        if mails and time.monotonic() - self.measured_at.get(lane, 0.0) > MEASURE_EVERY:
            self.measured_at[lane] = time.monotonic()
            pace = F("ms_per_mail") * (1 - SMOOTHING) + SMOOTHING * 1000 * seconds / mails
            Transport.objects.filter(lane=lane).update(ms_per_mail=pace, holds_in_a_row=0)


class LastTemplate:
    """The broadcast this process sent last, compiled; it is likely to be needed next.

    A content never changes. Once erased it is not sent any more.
    """

    def __init__(self) -> None:
        self.kept: tuple[UUID, CompiledTemplate] | None = None

    def get(self, uuid: UUID) -> CompiledTemplate | None:
        """The template of the Message with this uuid, if it is the one that is kept."""
        kept = self.kept
        return kept[1] if kept and kept[0] == uuid else None

    def keep(self, uuid: UUID, template: CompiledTemplate) -> None:
        """Keep this one in place of the last."""
        self.kept = uuid, template


PACE, LAST_TEMPLATE = Pace(), LastTemplate()


class Slot(threading.local):
    """The connections of one slot, and what its servers said lately."""

    def __init__(self) -> None:
        self.connections = Connections()
        self.sessions = CheckpointSessions()
        self.auto_pause = AutoPause()
        self.losses: Counter[Lane] = Counter()
        """In how many mails in a row the connection was lost, over Batches of any size."""
        self.pace = PACE
        self.last_template = LAST_TEMPLATE

    def close(self) -> None:
        """Close every connection: to SMTP servers and, for checkpoints, to the database."""
        self.connections.close()
        self.sessions.close()


SLOT = Slot()
"""The slot of whoever asks: each thread sees its own."""
