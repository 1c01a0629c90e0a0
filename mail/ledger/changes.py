"""Changes: the columns of a Delivery that each transition writes."""

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from mail.conf import settings
from mail.ledger import states
from mail.ledger.states import State

Changes = dict[str, Any]
"""Columns of a Delivery, `state` among them."""


def settled(state: State, **columns: Any) -> Changes:
    """A final state: nothing is due any more."""
    return {"state": state, "settled_at": Now(), "due_at": None, **columns}


def requeued(give_up_after: timedelta) -> Changes:
    """Back in the queue, due now, with the full give-up time of its kind."""
    return {
        "state": State.QUEUED,
        "due_at": Now(),
        "expires_at": Now() + give_up_after,
        "batch": None,
        "settled_at": None,
    }


def deferred(wait: timedelta, *, time_left: timedelta, attempts: int) -> Changes:
    """Queued for later, or failed as `expired` if its give-up time comes first."""
    if wait > time_left:
        return settled(State.FAILED, code="expired", attempts=attempts)
    return {"state": State.QUEUED, "due_at": Now() + wait, "batch": None, "attempts": attempts}


def uncertain(on_uncertain: str, *, uncertainties: int, attempts: int) -> Changes:
    """Uncertain: queued automatically after a wait, or held for a person.

    `on_uncertain` is the policy of its kind, `uncertainties` how often it was uncertain before.
    """
    return {
        "state": State.UNCERTAIN,
        "settled_at": Now(),
        "due_at": resend_at(on_uncertain, uncertainties),
        "uncertainties": uncertainties + 1,
        "attempts": attempts,
    }


def resend_at(on_uncertain: str, uncertainties: int) -> Any:
    """When an uncertain Delivery is queued automatically: once, after a wait; None holds it."""
    again = states.is_resent(on_uncertain, uncertainties)
    return Now() + settings.MAIL_UNCERTAIN_WAIT if again else None
