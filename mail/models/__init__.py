from mail.models.among import Among
from mail.models.attempt import Attempt
from mail.models.batch import Batch
from mail.models.broadcast import Broadcast
from mail.models.delivery import Delivery
from mail.models.message import Lane, Message, OnUncertain
from mail.models.relay_lease import RelayLease
from mail.models.seconds import Seconds
from mail.models.transport import Transport

__all__ = [
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
]
