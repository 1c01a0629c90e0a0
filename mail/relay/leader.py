"""Leader: any number of relays run; one of them leads, under a lease row."""

import os
import socket
import time
import uuid
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from mail.models import RelayLease

LEASE = timedelta(seconds=6)
RENEW_EVERY = 1.5  # seconds


class Leader:
    """This relay's candidacy. Nothing breaks if two lead for a moment."""

    def __init__(self) -> None:
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.renewed_at = float("-inf")

    def is_leading(self) -> bool:
        """Take the lease if it is free and renew it if it is ours; return whether it is ours."""
        if time.monotonic() - self.renewed_at < RENEW_EVERY:
            return True
        mine_or_free = Q(holder=self.holder) | Q(lease_until=None) | Q(lease_until__lt=Now())
        leads = RelayLease.objects.filter(mine_or_free, pk=1).update(
            holder=self.holder, lease_until=Now() + LEASE
        )
        self.renewed_at = time.monotonic() if leads else float("-inf")
        return bool(leads)

    def step_down(self) -> None:
        """Free the lease for another relay."""
        RelayLease.objects.filter(pk=1, holder=self.holder).update(lease_until=None)
        self.renewed_at = float("-inf")
