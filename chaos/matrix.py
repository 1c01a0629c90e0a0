"""`matrix`: the rows of the fault matrix, one after the other on one stack."""

import http.client
import random
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

from chaos import grid as smtp_grid
from chaos import rows_broker, rows_disk, rows_moa, rows_servers, rows_worker  # noqa: F401 - made
from chaos.load import Refused
from chaos.matrix_rows import ROWS, Row
from chaos.run import say
from chaos.scene import Failed, NotRun, Scene
from chaos.stack import Stack
from tests.harness.balance import Ledger

TROUBLE = (Failed, Refused, OSError, http.client.HTTPException, subprocess.CalledProcessError)


def carry_out(
    *,
    seed: int,
    seeds: int = 3,
    only: str = "",
    grid: bool = True,
    rows: Sequence[Row] = ROWS,
    stack: Stack | None = None,
) -> tuple[dict[str, Any], Stack]:
    """Run every row, those that depend on timing once per seed; return result and stack."""
    stack = stack or Stack()
    began = time.monotonic()
    try:
        say(f"starting everything in {stack.folder}")
        stack.start()
        scene = Scene(stack, seed=seed)
        say(f"warm after {scene.warm_up():.1f} s: a mail of each lane has left")
        found = _rows(
            scene,
            [row for row in rows if any(part in row.name for part in only.split(","))],
            range(seed, seed + seeds),
        )
        if grid:
            found += smtp_grid.cells(stack, only=only)
        ledger = scene.judge()
    finally:
        term = stack.stop()
    _show(found, ledger)
    return {
        "holds": all(one["as_expected"] for one in found) and not ledger.violations,
        "rows": found,
        "ledger": ledger.as_json(),
        "term_seconds": term,
        "seconds": round(time.monotonic() - began, 1),
    }, stack


def _show(found: list[dict[str, Any]], ledger: Ledger) -> None:
    """Print how many rows passed, which could not run, and the ledger's objections."""
    failed = [one for one in found if not one["as_expected"]]
    not_run = [one["row"] for one in failed if one.get("not_run")]
    say(
        f"\n{len(found) - len(failed)} of {len(found)} as expected; {len(ledger.violations)} broken"
    )
    if not_run:
        say(f"NOT RUN, and so not shown: {', '.join(not_run)}")
    for line in ledger.violations:
        say(f"VIOLATION {line}")


def _rows(scene: Scene, rows: Sequence[Row], seeds: Sequence[int]) -> list[dict[str, Any]]:
    found = []
    for row in rows:
        for seed in seeds[: row.seeds]:
            shift = random.Random(f"{row.name}-{seed}").random()  # noqa: S311
            found.append(_try(scene, row.name, row.expected, lambda: row.act(scene, shift)))  # noqa: B023
            found[-1]["seed"] = seed
    return found


def _try(scene: Scene, name: str, expected: str, act: Callable[[], str | None]) -> dict[str, Any]:
    began = time.monotonic()
    verdict = "ok"
    try:
        seen = act() or ""
    except NotRun as reason:
        seen, verdict = str(reason), "NOT RUN"
    except TROUBLE as trouble:
        seen, verdict = f"{type(trouble).__name__}: {trouble}", "FAIL"
        _tidy_up(scene)
    seconds = time.monotonic() - began
    say(f"{verdict:<4} {seconds:6.1f} s  {name}: {seen}")
    return {
        "row": name,
        "expected": " ".join(expected.split()),
        "seen": seen,
        "as_expected": verdict == "ok",
        "not_run": verdict == "NOT RUN",
        "seconds": round(seconds, 1),
    }


def _tidy_up(scene: Scene) -> None:
    """After a failed row: wait until all mail has left, so that the next row starts clean."""
    scene.stack.steer("smtp", do="clear")
    scene.stack.steer("proxy.smtp", do="clear")
    scene.stack.held_nodes.clear()
    try:
        scene.free_transport()
        scene.make_due()
        scene.rest(seconds=120)
    except TROUBLE as trouble:
        say(f"     not at rest: {trouble}")
