"""Whatever happens, in whatever order: the ledger balances and every mail is accounted for."""

import os

import pytest

from tests.model.search import search
from tests.model.visited import Visited

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "200"))
STEPS = int(os.environ.get("MODEL_STEPS", "20"))
SEED = int(os.environ.get("MODEL_SEED", "1"))

STATES = ("sent", "failed", "uncertain", "cancelled")
CRASH_POINTS = 6  # of about twenty; which of them, the seed decides


@pytest.mark.usefixtures("people")
def test_i3_i4_i9_i13_every_mail_is_accounted_for_after_every_step():
    """I3, I4, I9, I13: the real functions against the model, with every fault in between.

    The same examples each time; `python -m tests.model` tries many more. It also fails when the
    search does not come where it has to: a search that visits nothing finds nothing.
    """
    visited = Visited()

    search(examples=EXAMPLES, steps=STEPS, number=SEED, visited=visited, shrink=True)

    assert visited.examples >= EXAMPLES
    reached = {arrow.rpartition("→ ")[2].partition(" ")[0] for arrow in visited.transitions}
    assert reached >= {"queued", *STATES}
    assert {"Settled: queued in a batch → uncertain in a batch"} <= set(visited.transitions)
    assert len(visited.crash_points) >= CRASH_POINTS
