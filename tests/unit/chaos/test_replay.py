"""A replay carries out the faults of the run it is given, in their order and at their distances."""

import json
from itertools import islice

import pytest

from chaos import plan, replay
from chaos.report import RESULTS


@pytest.mark.parametrize("mix", plan.MIXES)
def test_the_faults_of_a_record_are_those_of_its_seed(mix: str):
    planned = list(islice(plan.faults(7, mix=mix, closest=30), 20))
    record = {
        "command": {"name": "run", "seed": 7, "mix": mix, "every": 30},
        "faults": [{"number": fault.number, "kind": fault.kind} for fault in planned],
    }

    assert list(replay.faults(record)) == planned


def test_a_record_that_was_kept_can_be_replayed():
    record = replay.read(RESULTS / "run-1-12.json")

    kinds = [fault.kind for fault in replay.faults(record)]

    assert kinds == [one["kind"] for one in record["faults"]]


def test_what_is_not_a_run_is_refused(tmp_path):
    file = tmp_path / "matrix.json"
    file.write_text(json.dumps({"command": {"name": "matrix", "seed": 1}}))

    with pytest.raises(ValueError, match="is not the result of a run"):
        replay.read(file)
