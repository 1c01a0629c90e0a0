"""The SMTP grid on its own database; chaos/cells.py has the expected outcomes."""

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import psycopg

from chaos.run import say
from chaos.stack import Stack
from tests.harness.processes import manage
from tests.harness.sessions import PROJECT, python

DATABASE = "grid"


def carry_out(*, only: str = "") -> tuple[dict[str, Any], Stack]:
    """Run every cell with PostgreSQL alone; return the result and the stack."""
    stack, began = Stack(), time.monotonic()
    try:
        stack.postgresql.start()
        found = cells(stack, only=only)
    finally:
        stack.stop()
    failed = sum(not one["as_expected"] for one in found)
    say(f"\n{len(found) - failed} of {len(found)} as expected")
    return {
        "holds": not failed,
        "rows": found,
        "seconds": round(time.monotonic() - began, 1),
    }, stack


def cells(stack: Stack, *, only: str = "") -> list[dict[str, Any]]:
    """Run the cells whose name contains `only`, on the running PostgreSQL of a stack."""
    with psycopg.connect(stack.postgresql.url(), autocommit=True) as database:
        database.execute(f"CREATE DATABASE {DATABASE}")
    environ = stack.environ | {"DATABASE_URL": stack.postgresql.url(DATABASE)}
    manage(environ, "migrate", "--verbosity=0")
    found = []
    for row in _lines(python("manage.py", "try_smtp_grid", f"--only={only}"), environ):
        found.append(row)
        holds = row["as_expected"]
        seen = "" if holds else f": {row['seen']}, expected {row['expected']}"
        say(f"{'ok  ' if holds else 'FAIL'} {row['seconds']:6.1f} s  {row['row']}{seen}")
    return found


def _lines(command: list[str], environ: dict[str, str]) -> Iterator[dict[str, Any]]:
    with subprocess.Popen(  # noqa: S603
        command,
        cwd=PROJECT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
