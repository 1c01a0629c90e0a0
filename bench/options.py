"""The options of the command line."""

import argparse
from dataclasses import dataclass
from pathlib import Path

SECTIONS = (
    *("limit", "bulk", "single", "request", "lanes", "slow-smtp", "fanout", "rate", "memory"),
    *("scale", "profile"),
)


@dataclass(frozen=True)
class Options:
    """How long and how often everything is measured."""

    sections: tuple[str, ...]
    quick: bool
    rounds: int
    seconds: float
    """About how long one round of one contender takes."""
    output: Path | None

    def pick(self, full: int, quick: int) -> int:
        """A size: `full` in a full run, `quick` in a quick one."""
        return quick if self.quick else full


def parse(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="section", help=", ".join(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="all of it in a few minutes")
    parser.add_argument("--rounds", type=int, help="how often each contender runs; 3")
    parser.add_argument("--seconds", type=float, help="how long, about, each time; 30")
    parser.add_argument("--output", type=Path, help="where the JSON goes; the picture beside it")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.sections) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    return Options(
        sections=tuple(asked.sections) or SECTIONS,
        quick=asked.quick,
        rounds=asked.rounds or (1 if asked.quick else 3),
        seconds=asked.seconds or (1 if asked.quick else 30),
        output=asked.output,
    )
