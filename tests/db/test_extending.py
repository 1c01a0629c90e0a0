"""The examples of `docs/extending.md` work: their code is written into a copy of the project.

There the new app is added to INSTALLED_APPS only; then its own tests run, and those of the project
that cover every app.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
COPIED = ["mail", "seller", "payment", "moa", "demo", "tests", "locale", "manage.py"]
LEFT_OUT = shutil.ignore_patterns("__pycache__", "results", "static")
BLOCK = re.compile(r"^```\w*\n(?:# |\{# )([\w/.]+\.\w+)(?: #\})?\n(.*?)^```$", re.M | re.S)
ABOVE_SELLERS = '    "payment",\n'

ITS_OWN = ["tests/db/payment/test_refunded.py", "tests/db/waitlist"]
OF_EVERY_APP = [
    "tests/unit/test_house.py::test_an_app_imports_only_apps_that_stand_below_it",
    "tests/unit/test_translations.py::test_every_text_has_a_korean_translation",
]


@pytest.fixture(scope="module")
def blocks() -> dict[str, str]:
    """Each file of the page and its content."""
    return dict(BLOCK.findall((PROJECT / "docs" / "extending.md").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def extended(blocks: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the code of the page, the new app installed and migrated."""
    copy = tmp_path_factory.mktemp("extended")
    for name in COPIED:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, copy / name, ignore=LEFT_OUT)
        else:
            shutil.copy(PROJECT / name, copy / name)
    shutil.copy(PROJECT / "pyproject.toml", copy)
    for name, code in blocks.items():
        write(copy / name, code)
    (copy / "waitlist" / "__init__.py").touch()
    settings = copy / "moa" / "settings.py"
    told = settings.read_text(encoding="utf-8")
    assert told.count(ABOVE_SELLERS) == 1
    settings.write_text(
        told.replace(ABOVE_SELLERS, f'{ABOVE_SELLERS}    "waitlist",\n'), encoding="utf-8"
    )
    run(copy, "manage.py", "makemigrations", "waitlist")
    return copy


def write(file: Path, code: str) -> None:
    """Add code to the end of a file of the project, or make a new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    there = file.read_text(encoding="utf-8") + "\n\n" if file.exists() else ""
    file.write_text(there + code, encoding="utf-8")


def run(folder: Path, *arguments: str) -> str:
    """Run Python in a folder, on a SQLite database of its own; return what it said."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environ |= {"DEBUG": "true", "MOA_VAR": str(folder / "var"), "PYTHONPATH": str(folder)}
    (folder / "var").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_page_names_the_files_of_both_examples(blocks: dict[str, str]) -> None:
    python = {name for name in blocks if name.endswith(".py")}

    assert python == {
        "payment/mails.py",
        "tests/db/payment/test_refunded.py",
        "tests/db/waitlist/test_services.py",
        "waitlist/audiences.py",
        "waitlist/mails.py",
        "waitlist/models.py",
        "waitlist/services.py",
    }
    assert len(blocks) - len(python) == 4  # the templates


def test_the_examples_pass_their_tests_and_those_of_every_app(extended: Path) -> None:
    said = run(extended, "-m", "pytest", "-q", *ITS_OWN, *OF_EVERY_APP)

    assert "5 passed" in said


def test_the_examples_are_written_as_the_project_is(extended: Path) -> None:
    files = ["waitlist", "payment/mails.py", *ITS_OWN]

    run(extended, "-m", "ruff", "check", *files)
    run(extended, "-m", "ruff", "format", "--check", *files)
