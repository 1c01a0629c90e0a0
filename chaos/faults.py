"""Faults: what each kind in a plan does to a stack."""

import time

from chaos.hit import Hit, Undo
from chaos.kills import KILLS
from chaos.plan import Fault
from chaos.stack import Stack
from chaos.troubles import TROUBLES

ACTIONS = KILLS | TROUBLES


def carry_out(fault: Fault, stack: Stack) -> tuple[Hit, Undo | None]:
    """Carry out a fault of the plan; a target that is already down is not hit.

    Returns what was hit and, for a fault that lasts, a function that ends it.
    """
    hit = Hit(number=fault.number, kind=fault.kind, at=time.time())
    return hit, ACTIONS[fault.kind](fault, stack, hit)
