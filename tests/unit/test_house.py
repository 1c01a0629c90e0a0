"""The house is in order: layers, sizes, requirements, and documentation that tells the truth."""

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mail.conf import from_environ
from tests.unit.project import PROJECT, own_apps

READMES = ["README.md", "README.ko.md"]
DOCUMENTS = [
    *READMES,
    "docs/architecture.md",
    "docs/extending.md",
    "docs/operations.md",
    "docs/parity.md",
]

LONGEST = 250
MADE_HERE = {".venv/", "var/"}  # not in the repository
FOLDER_OR_FILE = re.compile(
    r"`([\w.-]+(?:/[\w.-]+)*(?:/|\.(?:example|md|po|py|toml|txt|yml)))(?:::(\w+))?`"
)
FENCED = re.compile(r"^```(?:\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")
READ_FROM_ENVIRONMENT = re.compile(
    r"(?:env\.\w+|number|required|from_environment)\(\s*\"([A-Z_]+)\"(?:,\s*([\d._]+))?"
)
ROW = re.compile(r"^\| `([A-Z_]+)` \|([^|]*)\|", re.MULTILINE)


def read(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def requirements(name: str) -> dict[str, str]:
    """Each requirement of a file, its name in the canonical form, with its version specifier."""
    lines = (line.partition("#")[0].strip() for line in read(name).splitlines())
    found = [Requirement(line) for line in lines if line and not line.startswith("-r ")]
    return {canonicalize_name(one.name): str(one.specifier) for one in found}


def test_imports_go_one_way():
    """I1, I12 and the rest rest on it: the recording side reaches neither broker nor server."""
    linter = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([linter], cwd=PROJECT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout


def test_an_app_imports_only_apps_that_stand_below_it():
    """INSTALLED_APPS is the order: no app of the project imports one that is named before it."""
    layers = list(dict.fromkeys(app.name.partition(".")[0] for app in own_apps()))
    graph = grimp.build_graph(*layers, cache_dir=None)

    upwards = graph.find_illegal_dependencies_for_layers(layers=layers)

    assert layers[-1] == "mail"
    assert {(one.importer, one.imported) for one in upwards} == set()


def test_no_file_is_too_long():
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "bin"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    files = [Path(line) for line in listed.stdout.splitlines()]
    ours = [file for file in files if not {"tests", "migrations"} & set(file.parts)]

    too_long = [str(file) for file in ours if len(read(str(file)).splitlines()) > LONGEST]

    assert ours
    assert not too_long


def test_every_requirement_is_pinned():
    pinned = requirements("requirements.txt") | requirements("requirements-dev.txt")

    assert [name for name, version in pinned.items() if not version.startswith("==")] == []


def test_the_constraints_agree_with_the_requirements():
    pinned = requirements("requirements.txt") | requirements("requirements-dev.txt")
    constraints = requirements("constraints.txt")

    differing = {name for name, version in pinned.items() if constraints.get(name) != version}

    assert not differing


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_names_only_what_is_there(document):
    text = FENCED.sub("", read(document))
    folder = Path(document).parent

    named = {name for name, _ in FOLDER_OR_FILE.findall(text)} - MADE_HERE
    missing = [name for name in named if not (PROJECT / name).exists()]
    dead = [link for link in LINK.findall(text) if not (PROJECT / folder / link).exists()]

    assert missing == []
    assert dead == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_names_only_tests_that_are_there(document):
    named = [(file, test) for file, test in FOLDER_OR_FILE.findall(read(document)) if test]

    assert [f"{file}::{test}" for file, test in named if f"def {test}(" not in read(file)] == []


def test_every_invariant_has_a_test():
    rows = re.findall(r"^\| (I\d+) \|.*\|(.*)\|$", read("docs/architecture.md"), re.MULTILINE)

    unguarded = [invariant for invariant, tests in rows if "::" not in tests]

    assert len(rows) == 13
    assert unguarded == []


@pytest.mark.parametrize("readme", READMES)
def test_the_commands_of_the_readme_exist(readme):
    code = "".join(FENCED.findall(read(readme)))
    scripts = set(re.findall(r"python3 (bin/\w+)", code))
    commands = set(re.findall(r"manage\.py (\w+)", code))

    help_text = subprocess.run(
        [sys.executable, "manage.py", "help", "--commands"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert {"bin/up", "bin/test"} <= scripts
    assert [script for script in scripts if not (PROJECT / script).is_file()] == []
    assert commands <= set(help_text.split())


def test_the_readmes_say_the_same_in_two_languages():
    """The code in them, at least, is the same, comments aside."""
    english, korean = (
        [re.sub(r"\s*#.*", "", block) for block in FENCED.findall(read(readme))]
        for readme in READMES
    )

    assert english == korean


def test_every_variable_of_the_environment_is_documented():
    read_by_settings = dict(READ_FROM_ENVIRONMENT.findall(read("moa/settings.py")))
    read_by_settings |= dict(defaults_of_mail())
    documented = {name: default.strip("` ") for name, default in ROW.findall(operations())}

    assert set(documented) == set(read_by_settings)
    for name, default in read_by_settings.items():
        if default:
            assert float(documented[name]) == float(default), name


def defaults_of_mail() -> Iterator[tuple[str, str]]:
    """What mail's own settings are by default, as an environment would write it."""
    for name, default in from_environ({}).items():
        if isinstance(default, timedelta):
            yield name, str(default.total_seconds())
        else:
            yield name, str(default) if isinstance(default, int | float) else ""


def operations() -> str:
    return read("docs/operations.md").partition("## Environment")[2]
