"""Negative controls: `python -m tests.crash.controls` shows that the suite finds seeded bugs.

For each seeded bug of bugs.py it runs the test that must fail, in processes that have the bug. It
reports what was found, writes it as JSON, and exits with 0 only if all were found. DATABASE_URL names
a PostgreSQL server to use, whose databases it leaves alone; without it, a private one is started.
The quick ones are in every run of the tests, see test_controls.py.
"""

import json
import os
import platform
import signal
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from chaos.report import PACKAGES, commit
from tests.crash.bugs import BUGS, Bug
from tests.harness.postgresql import PostgreSQL

FOLDER = "tests/crash/"
RESULT = Path(__file__).parent / "results" / "controls.json"


class Controls:
    """Runs each test with the bugs it must find, and notes how it ended."""

    def __init__(self) -> None:
        self.ends: dict[str, str] = {}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        test = metafunc.definition.nodeid
        metafunc.parametrize("bug", [name for name in BUGS if finder(BUGS[name]) == test])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]):
        report = yield
        if report.when == "call" or report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            reason = crash.message.splitlines()[0] if crash else ""
            self.ends.setdefault(bug_of(item), f"{report.when} {report.outcome}: {reason}")
            write(f"{self.verdict(bug_of(item))}  {bug_of(item)}")
        return report

    def verdict(self, bug: str) -> str:
        """A bug is found by a test that ran and failed, not by one that could not be set up."""
        return "found    " if self.ends.get(bug, "").startswith("call failed") else "NOT FOUND"

    def table(self) -> str:
        return "\n".join(
            f"{self.verdict(name)}  {name}: {bug.what}\n           by {bug.found_by}\n"
            f"           {self.ends.get(name, 'did not run')}"
            for name, bug in BUGS.items()
        )


def finder(bug: Bug) -> str:
    return FOLDER + bug.found_by


def bug_of(item: pytest.Item) -> str:
    return str(item.callspec.params["bug"])  # type: ignore[attr-defined]


def write(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main() -> int:
    """Run them all; 0 if every bug was found."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began, controls = time.monotonic(), Controls()
    with ExitStack() as stack:
        if not os.environ.get("DATABASE_URL"):
            server = PostgreSQL().start()
            stack.callback(server.discard)
            os.environ["DATABASE_URL"] = server.url("moa")
        tests = sorted({finder(bug) for bug in BUGS.values()})
        options = ["-q", "--tb=no", "-rN", "--capture=fd", "--create-db"]
        pytest.main([*options, *tests], plugins=[controls])
    write(controls.table())
    result = record(controls, seconds=time.monotonic() - began)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    write(f"written to {RESULT.relative_to(Path.cwd())}")
    return 0 if result["found"] == len(BUGS) else 1


def record(controls: Controls, *, seconds: float) -> dict[str, Any]:
    """What was found, to be kept."""
    verdicts = {name: controls.verdict(name).strip() for name in BUGS}
    return {
        "command": "python -m tests.crash.controls",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in PACKAGES},
        "seconds": round(seconds),
        "found": list(verdicts.values()).count("found"),
        "bugs": {
            name: {
                "what": bug.what,
                "test": finder(bug),
                "verdict": verdicts[name],
                "reason": controls.ends.get(name, "did not run"),
            }
            for name, bug in BUGS.items()
        },
    }


if __name__ == "__main__":
    sys.exit(main())
