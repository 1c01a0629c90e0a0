"""The rows of mail, with their queries: Message, Delivery, Batch and what belongs to them.

Both halves of mail read and write them; every change of a Delivery's state goes through
`mail.ledger`. This package imports nothing else of mail.
"""

from mail.models.among import Among
from mail.models.attempt import Attempt
from mail.models.batch import Batch
from mail.models.broadcast import Broadcast
from mail.models.delivery import Delivery
from mail.models.message import CONTENT, Lane, Message, OnUncertain, stopped
from mail.models.relay_lease import RelayLease
from mail.models.seconds import Seconds
from mail.models.transport import Transport

__all__ = [
    "CONTENT",
    "Among",
    "Attempt",
    "Batch",
    "Broadcast",
    "Delivery",
    "Lane",
    "Message",
    "OnUncertain",
    "RelayLease",
    "Seconds",
    "Transport",
    "stopped",
]
