"""`python -m chaos`: break everything, lose nothing, and show it."""

import argparse
import sys
import time
from pathlib import Path

from chaos import matrix, plan, report
from chaos.run import Run, until_kills


def main() -> int:
    asked = parser().parse_args()
    code: int = asked.command(asked)
    return code


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="seeded SIGKILLs under load, then the ledger")
    run.add_argument("--seed", type=int, default=1)
    run.add_argument("--kills", type=int, default=12, help="how many SIGKILLs; 12")
    run.add_argument("--mix", choices=plan.MIXES, default="kills", help="which faults are drawn")
    run.add_argument("--rate", type=float, default=12, help="payments and notes a second; 12")
    run.add_argument(
        "--every", type=float, default=plan.CLOSEST, help="seconds between two faults, at least; 2"
    )
    run.add_argument("--out", type=Path, help="where the JSON goes; chaos/results/…")
    run.add_argument("--keep", action="store_true", help="keep the folder with all logs")
    run.set_defaults(command=carry_out_run)
    rows = commands.add_parser("matrix", help="the fault matrix and the SMTP grid, row by row")
    rows.add_argument("--seed", type=int, default=1)
    rows.add_argument("--only", default="", help="rows whose name has this")
    rows.add_argument("--no-grid", action="store_true", help="without the SMTP grid")
    rows.add_argument("--out", type=Path, help="where the JSON goes; chaos/results/…")
    rows.add_argument("--keep", action="store_true", help="keep the folder with all logs")
    rows.set_defaults(command=carry_out_matrix)
    return made


def carry_out_run(asked: argparse.Namespace) -> int:
    """`run`: the plan of a seed until so many SIGKILLs have landed."""
    run = Run(seed=asked.seed, rate=asked.rate)
    faults = until_kills(
        plan.faults(asked.seed, mix=asked.mix, closest=asked.every), asked.kills, run.hits
    )
    outcome = run.carry_out(faults)
    report.show(outcome)
    command = {"name": "run", "seed": asked.seed, "kills": asked.kills, "mix": asked.mix}
    command |= {"rate": asked.rate, "every": asked.every}
    name = f"run-{asked.seed}-{asked.kills}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    result = report.as_json(outcome, run.stack, command)
    report.write(result, asked.out or report.RESULTS / name)
    if not asked.keep and not outcome.violations:
        run.stack.remove()
    return 1 if outcome.violations else 0


def carry_out_matrix(asked: argparse.Namespace) -> int:
    """`matrix`: every row as expected."""
    result, stack = matrix.carry_out(seed=asked.seed, only=asked.only, grid=not asked.no_grid)
    command = {"name": "matrix", "seed": asked.seed, "only": asked.only}
    name = f"matrix-{asked.seed}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    report.write(report.head(stack, command) | result, asked.out or report.RESULTS / name)
    if not asked.keep and result["holds"]:
        stack.remove()
    return 0 if result["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
