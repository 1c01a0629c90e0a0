"""`bin/test --django X`: which Python it uses, and its message if there is none."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest
from django.conf import settings

BIN = settings.BASE_DIR / "bin"


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch):
    """The module as `bin/test` imports it."""
    monkeypatch.syspath_prepend(str(BIN))
    spec = importlib.util.spec_from_file_location("versions", BIN / "versions.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setenv(module.bootstrap.DJANGO, "")
    return module


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def put(folder: Path, name: str, script: str) -> Path:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def test_the_newest_python_on_path_is_taken(versions, path: Path):
    put(path, "python3.12", "echo 1")
    newest = put(path, "python3.13", "echo 1")

    assert versions.find_python((3, 12)) == str(newest)


def test_one_that_is_too_old_is_not_taken(versions, path: Path):
    put(path, "python3.11", "echo 1")

    assert versions.find_python((3, 12)) == ""


def test_a_command_that_only_says_that_it_is_not_installed_does_not_count(versions, path: Path):
    put(path, "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")

    assert versions.find_python((3, 12)) == ""


def test_pyenv_is_asked_for_those_that_are_not_on_path(versions, path: Path, tmp_path: Path):
    (tmp_path / "3.13.0" / "bin").mkdir(parents=True)
    python = put(tmp_path / "3.13.0" / "bin", "python", "echo 1")
    put(path, "pyenv", f'[ "$1" = prefix ] && echo {tmp_path}/$2 || echo "3.9.1\n3.13.0"')

    assert versions.find_python((3, 12)) == str(python)


def test_uv_is_asked_as_well(versions, path: Path, tmp_path: Path):
    python = put(tmp_path, "managed", "echo 1")
    put(path, "uv", f'for last; do :; done; [ "$last" = 3.12 ] && echo {python}')

    assert versions.find_python((3, 12)) == str(python)


def test_other_arguments_are_left_as_they_are(versions):
    assert versions.choose_django(["tests/db", "-k", "outbox"]) == ["tests/db", "-k", "outbox"]
    assert os.environ[versions.bootstrap.DJANGO] == ""


def test_the_option_is_taken_out_and_the_environment_told(versions, monkeypatch):
    monkeypatch.setattr(versions, "PYTHON_FOR", {"6.1": sys.version_info[:2]})

    assert versions.choose_django(["--django", "6.1", "tests/db"]) == ["tests/db"]
    assert os.environ[versions.bootstrap.DJANGO] == "6.1"


def test_without_a_python_it_ends_loudly(versions, path: Path, monkeypatch, capsys):
    monkeypatch.setattr(versions, "PYTHON_FOR", {"6.1": (3, 99)})

    with pytest.raises(SystemExit) as ended:
        versions.choose_django(["--django", "6.1"])

    assert ended.value.code == 3
    assert "NOT RUN: Django 6.1 needs Python 3.99" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--django"], ["--django", "4.2"]])
def test_an_unknown_version_is_refused(versions, arguments: list[str], capsys):
    with pytest.raises(SystemExit):
        versions.choose_django(arguments)

    assert "--django takes one of: 6.1" in capsys.readouterr().err
