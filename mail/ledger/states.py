"""States: where a Delivery may go from where it is, and what is known of a dead worker's mails.

Pure: no clock, no database, no socket.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mail.models import Delivery, OnUncertain

State = Delivery.State

ARROWS: dict[str, frozenset[str]] = {
    State.QUEUED: frozenset(State) - {State.QUEUED},
    State.UNCERTAIN: frozenset({State.QUEUED, State.SENT}),
    State.FAILED: frozenset({State.QUEUED, State.SENT}),  # a person resends; a late 250
    State.CANCELLED: frozenset({State.SENT}),  # a late 250
    State.SENT: frozenset(),
}
"""The states that may follow each state."""

POISON = 3  # crashed workers after which a Delivery fails


class ForbiddenArrow(ValueError):
    """A Delivery would leave a state for one that may not follow it."""


def check(old: str, new: str) -> None:
    """Raise ForbiddenArrow unless `new` may follow `old`."""
    if new not in ARROWS[old]:
        raise ForbiddenArrow(f"a delivery does not go from {old} to {new}")


def is_resent(on_uncertain: str, uncertainties: int) -> bool:
    """Whether a Delivery that becomes uncertain is resent automatically: once, if ever."""
    return on_uncertain == OnUncertain.RESEND and not uncertainties


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """The ids of a dead worker's open Deliveries, by what became of them."""

    accepted: Sequence[int]
    uncertain: Sequence[int]
    unsent: Sequence[int]


def settlement(
    open_ids: Sequence[int], *, through_id: int, begun: bool, checkpoints_missing: bool
) -> Settlement:
    """What the cursor of a Batch tells of its open Deliveries, given in the order of their ids.

    Those up to the cursor were accepted. The next one is uncertain if an end of data was due; the
    rest never left. Where checkpoints may be missing, every one above the cursor is uncertain.
    """
    accepted = [pk for pk in open_ids if pk <= through_id]
    ahead = [pk for pk in open_ids if pk > through_id]
    in_hand = len(ahead) if checkpoints_missing else int(begun)
    return Settlement(accepted=accepted, uncertain=ahead[:in_hand], unsent=ahead[in_hand:])
