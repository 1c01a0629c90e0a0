"""Faults: what each kind in a plan does to a stack."""

import time

from chaos.hit import Hit, Undo
from chaos.kills import KILLS
from chaos.plan import Fault
from chaos.stack import Stack
from chaos.troubles import TROUBLES

ACTIONS = KILLS | TROUBLES


def carry_out(fault: Fault, stack: Stack) -> tuple[Hit, Undo | None]:
    """Do what the plan says to whoever is there; a target that is down already is not hit.

    Returns what was hit and, of a fault that lasts, what ends it.
    """
    hit = Hit(number=fault.number, kind=fault.kind, at=time.time())
    return hit, ACTIONS[fault.kind](fault, stack, hit)
