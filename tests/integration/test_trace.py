"""A mail's path through the modules stays short: half the changes of module it once took."""

import re
import subprocess
import sys

import pytest

from tests.unit.project import PROJECT

LEG = re.compile(r"^(\S.*?)\s+(\d+)\s+(\d+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def changes_of_module() -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.harness.trace"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {leg: int(changes) for leg, _, changes in LEG.findall(done.stdout)}


@pytest.mark.parametrize(
    ("leg", "once"), [("a further mail, stored", 29), ("a further mail of a broadcast", 36)]
)
def test_a_further_mail_changes_module_half_as_often_as_it_once_did(
    changes_of_module: dict[str, int], leg: str, once: int
):
    assert 0 < changes_of_module[leg] <= once / 2
