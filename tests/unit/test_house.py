"""The structure of the project: layers, sizes, requirements, and true documentation."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

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

OURS = ["mail", "moa", "seller", "payment", "demo", "chaos", "bench"]
DESCRIBED = [name for name in OURS if name != "mail"]

LONGEST, USUAL = 250, 80  # lines of a file, and the median of all
LONGEST_FUNCTION, USUAL_FUNCTION = 40, 8
ROOMS = 20
ENTRY_POINT = re.compile(r"mail\.(apps|tasks|management\.)")
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
    """I1 and I12 depend on it: the recording side reaches neither broker nor server."""
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


def python_files(*roots: str) -> dict[Path, str]:
    """The sources of the project below some folders, migrations left out."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *roots],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [Path(line) for line in listed.stdout.splitlines() if (PROJECT / line).exists()]
    python = [file for file in files if file.suffix == ".py" or file.parent == Path("bin")]
    return {file: read(str(file)) for file in python if "migrations" not in file.parts}


def test_files_are_short():
    lengths = {
        file: len(text.splitlines()) for file, text in python_files(*OURS, "bin").items() if text
    }

    assert {file: lines for file, lines in lengths.items() if lines > LONGEST} == {}
    assert median(lengths.values()) <= USUAL


def test_functions_are_short():
    lengths = {
        f"{file}:{node.name}": node.end_lineno - node.lineno + 1
        for file, text in python_files(*OURS, "tests/harness").items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}
    assert median(lengths.values()) <= USUAL_FUNCTION


def test_every_package_says_what_it_is_for():
    """But for those that only mark a place of Django's: management and migrations."""
    packages = {
        file: text
        for file, text in python_files(*DESCRIBED, "tests").items()
        if file.name == "__init__.py" and "management" not in file.parts
    }

    assert [
        str(file) for file, text in packages.items() if not ast.get_docstring(ast.parse(text))
    ] == []


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Which modules each module of the project imports."""
    graph = grimp.build_graph(*OURS, "tests", cache_dir=None)
    return {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}


def test_no_imports_go_in_a_circle(imports):
    TopologicalSorter(imports).prepare()  # raises CycleError, which names the circle


def is_package(module: str) -> bool:
    return (PROJECT / module.replace(".", "/")).is_dir()


def test_a_module_that_serves_one_package_is_in_that_package(imports):
    """A module of mail that one other module imports stands in the package of that one.

    Entry points do not count: Celery, `manage.py` and Django look for tasks, commands and the
    AppConfig at their places, and what these start stands with its like. Nor does what only
    another app imports, the outer face of mail, nor a package, whose `__init__` is its own face.
    """
    shop = [name for name in imports if name.partition(".")[0] not in {"tests", "chaos", "bench"}]
    importers = {
        name: [one for one in shop if name in imports[one] and not ENTRY_POINT.match(one)]
        for name in shop
        if name.startswith("mail.") and not ENTRY_POINT.match(name) and not is_package(name)
    }
    single = {name: found[0] for name, found in importers.items() if len(found) == 1}

    misplaced = {
        name: one
        for name, one in single.items()
        if one.startswith("mail.") and name.rpartition(".")[0] not in (one.rpartition(".")[0], one)
    }

    assert single
    assert misplaced == {}


def test_mail_shows_few_rooms_at_its_top():
    rooms = {file.relative_to("mail").parts[0] for file in python_files("mail")} - {"__init__.py"}

    assert len(rooms) <= ROOMS


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


def test_the_commands_of_the_readme_exist():
    """Of one; the other has the same, as the next test sees."""
    code = "".join(FENCED.findall(read("README.md")))
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
