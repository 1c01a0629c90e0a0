"""`replay`: the faults of an earlier run, in the same order and at the same intervals."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from chaos import plan
from chaos.plan import Fault
from chaos.report import commit
from chaos.run import say


def read(file: Path) -> dict[str, Any]:
    """The result of a run. Raises ValueError for another kind of result."""
    result: dict[str, Any] = json.loads(file.read_text())
    if result["command"]["name"] not in ("run", "soak", "replay"):
        raise ValueError(f"{file} is not the result of a run: {result['command']}")
    if result["commit"] != commit():
        say(f"the run was of commit {result['commit']}, this is {commit()}")
    return result


def faults(result: dict[str, Any]) -> Iterator[Fault]:
    """The faults of that run: those of the seed, in the same number.

    Which process a fault hits depends on what runs at that moment, so a replay is only similar.
    """
    command = result["command"]
    count = max((one["number"] for one in result["faults"]), default=0)
    series = plan.faults(command["seed"], mix=command["mix"], closest=command["every"])
    return islice(series, count)
