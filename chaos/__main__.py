"""`python -m chaos`: break everything, lose nothing, and prove it."""

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chaos import cluster, grid, matrix, plan, replay, report, soak
from chaos.plan import Fault
from chaos.run import Run, say, until_kills
from chaos.stack import Stack


def main() -> int:
    asked = parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # still stop what was started
    report.commit()  # now, and not when a long run is over
    code: int = asked.command(asked)
    return code


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="seeded faults under load, then the ledger")
    run.add_argument("--kills", type=int, default=12, help="how many SIGKILLs; 12")
    run.add_argument("--mix", choices=plan.MIXES, default="kills", help="which faults are drawn")
    run.add_argument("--every", type=float, default=plan.CLOSEST, help="seconds at least; 2")
    run.set_defaults(command=carry_out_run)
    rows = commands.add_parser("matrix", help="the fault matrix and the SMTP grid, row by row")
    rows.add_argument("--only", default="", help="rows whose name has this, or this,…")
    rows.add_argument("--no-grid", action="store_true", help="without the SMTP grid")
    rows.set_defaults(command=carry_out_matrix)
    cells = commands.add_parser("grid", help="the SMTP grid alone")
    cells.add_argument("--only", default="", help="cells whose name has this")
    cells.set_defaults(command=carry_out_grid)
    three = commands.add_parser("cluster", help="rows on three RabbitMQ nodes")
    three.set_defaults(command=carry_out_cluster)
    long = commands.add_parser("soak", help="a fault a minute, and the memory of every process")
    long.add_argument("--minutes", type=float, default=30)
    long.add_argument("--warm-up", type=float, default=soak.WARM_UP, help="seconds; 120")
    long.set_defaults(command=carry_out_soak)
    again = commands.add_parser("replay", help="the faults of an earlier run once more")
    again.add_argument("file", type=Path)
    again.set_defaults(command=carry_out_replay)
    for command in (run, rows, three, long):
        command.add_argument("--seed", type=int, default=1)
    for command in (rows, three):
        command.add_argument("--seeds", type=int, default=3, help="where timing matters; 3")
    for command in (run, long):
        command.add_argument("--rate", type=float, default=12, help="requests a second, about; 12")
    for command in (run, rows, cells, three, long, again):
        command.add_argument("--out", type=Path, help="where the JSON goes; chaos/results/…")
        command.add_argument("--keep", action="store_true", help="keep the folder with all logs")
    return made


def carry_out_run(asked: argparse.Namespace) -> int:
    """`run`: the plan of a seed, until that many SIGKILLs have hit."""
    run = Run(seed=asked.seed, rate=asked.rate)
    faults = plan.faults(asked.seed, mix=asked.mix, closest=asked.every)
    command = {"name": "run", "seed": asked.seed, "kills": asked.kills, "mix": asked.mix}
    command |= {"rate": asked.rate, "every": asked.every}
    return _run(run, until_kills(faults, asked.kills, run.hits), command, asked)


def carry_out_soak(asked: argparse.Namespace) -> int:
    """`soak`: every kind of fault, one a minute; memory must not grow."""
    run = Run(seed=asked.seed, rate=asked.rate)
    memory = soak.Memory(run.stack, warm_up=asked.warm_up)
    faults = plan.faults(asked.seed, mix="soak", closest=soak.EVERY)
    command = {"name": "soak", "seed": asked.seed, "minutes": asked.minutes, "mix": "soak"}
    command |= {"rate": asked.rate, "every": soak.EVERY, "warm_up": asked.warm_up}
    memory.thread.start()
    return _run(run, soak.for_minutes(faults, asked.minutes), command, asked, memory)


def carry_out_replay(asked: argparse.Namespace) -> int:
    """`replay`: the same faults at the same intervals."""
    before = replay.read(asked.file)
    command = before["command"] | {"name": "replay", "file": asked.file.name}
    run = Run(seed=command["seed"], rate=command["rate"])
    return _run(run, replay.faults(before), command, asked)


def carry_out_matrix(asked: argparse.Namespace) -> int:
    """`matrix`: every row as expected."""
    result, stack = matrix.carry_out(
        seed=asked.seed, seeds=asked.seeds, only=asked.only, grid=not asked.no_grid
    )
    command = {"name": "matrix", "seed": asked.seed, "seeds": asked.seeds, "only": asked.only}
    return _write(result, stack, command, asked)


def carry_out_grid(asked: argparse.Namespace) -> int:
    """`grid`: every cell as expected."""
    result, stack = grid.carry_out(only=asked.only)
    return _write(result, stack, {"name": "grid", "seed": 0, "only": asked.only}, asked)


def carry_out_cluster(asked: argparse.Namespace) -> int:
    """`cluster`: every row as expected, on three nodes."""
    result, stack = cluster.carry_out(seed=asked.seed, seeds=asked.seeds)
    command = {"name": "cluster", "seed": asked.seed, "seeds": asked.seeds}
    return _write(result, stack, command, asked)


def _run(
    run: Run,
    faults: Iterator[Fault],
    command: dict[str, Any],
    asked: argparse.Namespace,
    memory: soak.Memory | None = None,
) -> int:
    outcome = run.carry_out(faults)
    if memory is not None:
        memory.end()
        grown = memory.growth()
        outcome.trouble += [
            f"memory: {one['process']} grew by {one['growth']:.1%} in {one['seconds']} s"
            for one in grown
            if one["growth"] >= soak.LIMIT
        ]
    report.show(outcome)
    result = report.as_json(outcome, run.stack, command)
    if memory is not None:
        result["memory"] = grown
        say(f"\nmemory after {memory.warm_up:.0f} s of warm-up, {len(grown)} processes")
        for line in soak.lines(grown):
            say(line)
    return _write(result, run.stack, command, asked)


def _write(
    result: dict[str, Any], stack: Stack, command: dict[str, Any], asked: argparse.Namespace
) -> int:
    name = f"{command['name']}-{command['seed']}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    report.write(report.head(stack, command) | result, asked.out or report.RESULTS / name)
    if not asked.keep and result["holds"]:
        stack.remove()
    return 0 if result["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
