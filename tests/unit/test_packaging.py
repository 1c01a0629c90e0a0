"""pyproject.toml of the package `moa-mail`, compared with what its code imports."""

import ast
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mail.conf import declared, from_environ

PROJECT = Path(__file__).resolve().parents[2]
MAIL = PROJECT / "mail"
EXTRAS = {
    "api": list((MAIL / "api").rglob("*.py")),
    "compose": [MAIL / "content" / "compose.py"],
}
"""The modules that need an extra of the package."""
PACKAGE = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BROUGHT_BY_CELERY = {"amqp", "billiard", "kombu"}
"""Celery's own parts, in the versions that Celery asks for."""


def named(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def imported(files: Iterable[Path]) -> set[str]:
    """The distributions that files import."""
    modules = {name.partition(".")[0] for file in files for name in imports(file)}
    others = modules - sys.stdlib_module_names - {"mail"}
    distributions = packages_distributions()
    return {canonicalize_name(distributions[name][0]) for name in others}


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_the_package_asks_for_what_it_imports_and_for_no_more():
    files = set(MAIL.rglob("*.py")).difference(*EXTRAS.values())

    assert imported(files) - BROUGHT_BY_CELERY == named(PACKAGE["dependencies"])


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_asks_for_what_its_modules_import_and_for_no_more(extra: str):
    needed = imported(EXTRAS[extra]) - named(PACKAGE["dependencies"])

    assert needed == named(PACKAGE["optional-dependencies"][extra])


def test_every_extra_is_looked_at():
    assert EXTRAS.keys() == PACKAGE["optional-dependencies"].keys()


def test_what_the_shop_pins_is_what_the_package_takes():
    lines = (PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {canonicalize_name(name): version for name, version in (x.split("==") for x in lines)}
    wanted = [*PACKAGE["dependencies"], *chain(*PACKAGE["optional-dependencies"].values())]

    refused = [
        line
        for line in map(Requirement, wanted)
        if pinned[canonicalize_name(line.name)] not in line.specifier
    ]

    assert refused == []


def test_the_page_of_the_package_tells_every_setting_and_its_default():
    page = (PROJECT / "docs" / "standalone.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `MAIL_")]
    told = {name.strip(" `"): default.strip(" `") for _, name, default, *_ in rows}

    assert told.keys() == declared().keys()
    told.pop("MAIL_TRANSPORTS")
    assert from_environ(told) == from_environ({})
