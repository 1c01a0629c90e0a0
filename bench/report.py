"""The table and the JSON, with the machine and the versions."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from bench import postfix
from bench.options import Options
from bench.rows import Row
from bench.scene import Scene
from tests.harness.processes import PROJECT

RESULTS = PROJECT / "bench" / "results"


def head(scene: Scene, options: Options) -> dict[str, Any]:
    """When and where, on what, with which versions."""
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": git("rev-parse", "HEAD"),
        "changed": bool(git("status", "--porcelain", "--untracked-files=no")),
        "options": {
            "sections": options.sections,
            "quick": options.quick,
            "rounds": options.rounds,
            "seconds": options.seconds,
        },
        "machine": {
            "cores": os.cpu_count(),
            "processor": processor(),
            "load_before": os.getloadavg()[0],
        },
        "versions": {
            "Python": platform.python_version(),
            "PostgreSQL": scene.postgresql.version,
            "RabbitMQ": scene.rabbitmq.version,
            "postfix": postfix.version(),
            **{
                found.metadata["Name"]: found.version
                for found in sorted(distributions(), key=lambda one: one.metadata["Name"].lower())
            },
        },
    }


def git(*arguments: str) -> str:
    ran = subprocess.run(  # noqa: S603
        ["git", *arguments],  # noqa: S607
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    return ran.stdout.strip()


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    titles = ("section", "figure", "target", "measured", "")
    lines = [(row.section, row.name, row.target, row.measured, row.verdict) for row in rows]
    widths = [max(map(len, column)) for column in zip(titles, *lines, strict=True)]
    for line in (titles, tuple("-" * width for width in widths), *lines):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    verdicts = [row.passes for row in rows if row.passes is not None]
    sys.stdout.write(f"{sum(verdicts)} of {len(verdicts)} targets are met\n")
    sys.stdout.flush()


def write(path: Path, head: dict[str, Any], rows: Sequence[Row]) -> None:
    """Write all measurements."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = head | {"rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def place(options: Options) -> Path:
    """The path of the JSON."""
    return options.output or RESULTS / f"bench-{time.strftime('%Y%m%d-%H%M%S')}.json"
