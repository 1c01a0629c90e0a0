"""The large search, and the seeded bugs that it must find.

    python -m tests.model --examples 2000 --steps 50 --seed 1    writes results/run-1-2000x50.json
    python -m tests.model --controls                             each seeded bug, until it is found

DATABASE_URL may name a server, whose databases are left alone; else a private PostgreSQL is
started (`--sqlite` does without). It ends with 0 if no invariant was broken, or every bug found.
"""

import argparse
import json
import logging
import os
import platform
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import django

from tests.harness.postgresql import PostgreSQL

FOLDER = Path(__file__).resolve().parent
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
PACKAGES = ("django", "hypothesis", "psycopg")
SHOWN_EVERY = 5.0  # seconds


def main() -> int:
    """Search, or try the controls; the exit code says whether all was as it has to be."""
    options = parse()
    with ExitStack() as stack:
        if not options.sqlite and not os.environ.get("DATABASE_URL"):
            server = PostgreSQL(**QUICK).start()
            stack.callback(server.discard)
            os.environ["DATABASE_URL"] = server.url("moa")
        make_database(stack)
        return control(options) if options.controls else run(options)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=50, help="in each example")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sqlite", action="store_true", help="search on SQLite")
    parser.add_argument("--controls", action="store_true", help="try the seeded bugs")
    parser.add_argument("--bug", action="append", help="with --controls: this one alone")
    parser.add_argument("--output", type=Path, help="where the JSON goes")
    return parser.parse_args()


def make_database(stack: ExitStack) -> None:
    """Set Django up, and make a test database that is gone at the end."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    logging.disable()  # what dies and comes back is no news here
    from django.db import connection  # needs the settings

    from tests.model.search import invite

    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    stack.callback(connection.creation.destroy_test_db, name, verbosity=0)
    invite()


def run(options: argparse.Namespace) -> int:
    """Search, show how far it is, and write what came of it."""
    began = time.monotonic()
    violation, visited = look(options, shrink=True, shows=True)
    result = {
        "command": f"python -m tests.model --examples {options.examples} --steps {options.steps}"
        f" --seed {options.seed}{' --sqlite' * options.sqlite}",
        "seed": options.seed,
        "examples": visited.examples,
        "steps": visited.steps,
        "seconds": round(time.monotonic() - began, 1),
        "violations": [violation] if violation else [],
        "transitions": dict(sorted(visited.transitions.items())),
        "crash_points": dict(sorted(visited.crash_points.items())),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "versions": versions(),
    }
    name = f"run-{options.seed}-{options.examples}x{options.steps}.json"
    path = options.output or FOLDER / "results" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    say(
        f"{visited.examples} examples, {visited.steps} steps, {result['seconds']} s,"
        f" {len(visited.transitions)} transitions, {len(visited.crash_points)} crash points,"
        f" {len(result['violations'])} violations; written to {path}"
    )
    return 1 if violation else 0


def look(options: argparse.Namespace, *, shrink: bool, shows: bool = False) -> tuple[str, Any]:
    """What the search found, or nothing, and what it visited."""
    from tests.model.search import search  # needs the settings
    from tests.model.visited import Visited

    visited = Visited()
    if shows:
        visited.on_example = Progress(options.examples).show
    try:
        search(
            examples=options.examples,
            steps=options.steps,
            number=options.seed,
            visited=visited,
            shrink=shrink,
        )
    except Exception as error:
        notes = "\n".join(getattr(error, "__notes__", ()))
        violation = f"{type(error).__name__}: {error}\n{notes}".strip()
        say(violation)
        return violation, visited
    return "", visited


class Progress:
    """A line now and then: how far the search is."""

    def __init__(self, examples: int) -> None:
        self.examples = examples
        self.began = self.shown = time.monotonic()

    def show(self, visited: Any) -> None:
        now = time.monotonic()
        if now - self.shown >= SHOWN_EVERY:
            self.shown = now
            say(
                f"{visited.examples} of {self.examples} examples, {visited.steps} steps,"
                f" {len(visited.transitions)} transitions, {now - self.began:.0f} s"
            )


def control(options: argparse.Namespace) -> int:
    """Try the seeded bugs, each in a process of its own; 0 if every one was found."""
    from django.db import connections

    from tests.model.bugs import BUGS

    found = {}
    context = get_context("fork")
    for name in options.bug or BUGS:
        connections.close_all()
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=try_bug, args=(name, options, theirs))
        child.start()
        found[name], reason, examples = ours.recv()
        child.join()
        verdict = "found    " if found[name] else "NOT FOUND"
        say(f"{verdict} {name}: {BUGS[name].what}\n          {examples} examples; {reason}")
    return 0 if all(found.values()) else 1


def try_bug(name: str, options: argparse.Namespace, pipe: Any) -> None:
    """Make a bug and search until it is found."""
    from tests.model.bugs import BUGS

    BUGS[name].install()
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    violation, visited = look(options, shrink=False)
    pipe.send((bool(violation), violation.partition("\n")[0], visited.examples))


def commit() -> str:
    """The commit of the code that ran, with a + when the folder differs from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    ran = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)
    return ran.stdout.strip() or "unknown"


def versions() -> dict[str, str]:
    from django.db import connection

    with connection.cursor() as cursor:
        on_postgresql = connection.vendor == "postgresql"
        cursor.execute("SHOW server_version" if on_postgresql else "SELECT sqlite_version()")
        found = cursor.fetchone()[0].split()[0]
    return {
        "python": platform.python_version(),
        connection.vendor: found,
        **{name: version(name) for name in PACKAGES},
    }


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
