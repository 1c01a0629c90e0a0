"""The production image is without `demo/`, and Moa starts without it."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
STAGE = re.compile(r"^FROM (?P<parent>\S+)(?: AS (?P<name>\S+))?$", re.MULTILINE)
EMBEDDED = {"DEBUG": "true", "MAIL_CATCHER": "false"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the Dockerfile copies into the production image."""
    ignored = (PROJECT / ".dockerignore").read_text(encoding="utf-8").split()
    names = [name.removeprefix("**/") for name in ignored]
    copy = tmp_path_factory.mktemp("image") / "moa"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns(*names))
    shutil.rmtree(copy / "demo")
    return copy


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables that production requires, as `bin/lint` has them."""
    monkeypatch.syspath_prepend(PROJECT / "bin")
    variables: dict[str, str] = runpy.run_path(str(PROJECT / "bin" / "lint"))["PRODUCTION"]
    return variables


def manage(tree: Path, environ: dict[str, str], *arguments: str) -> str:
    """The output of a management command in the tree; fails the test if the command fails."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=tree,
        env={"PATH": os.environ["PATH"], "MOA_VAR": str(tree.parent / "var")} | environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def stages() -> dict[str, tuple[str, str]]:
    """The parent and the instructions of each stage of the Dockerfile, by its name."""
    text = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
    _, *parts = STAGE.split(text)
    return {
        name: (parent, body)
        for parent, name, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    }


def instructions(stage: str) -> str:
    """All instructions that make a stage, those of the stages it is built on included."""
    found, lines = stages(), ""
    while stage in found:
        stage, body = found[stage]
        lines = body + lines
    return lines


def test_moa_passes_the_deployment_checks_without_the_demo(tree, production):
    manage(tree, production, "check", "--deploy", "--fail-level", "WARNING")


def test_its_commands_are_those_of_production(tree, production):
    commands = manage(tree, production, "help", "--commands").split()

    assert {"migrate", "relay", "mail_status", "resend_failed_mails"} <= set(commands)
    assert not {"up", "sample_data", "catcher"} & set(commands)


def test_its_static_files_can_be_collected(tree):
    assert "static files copied" in manage(tree, EMBEDDED, "collectstatic", "--noinput")


def test_only_the_staging_image_has_the_demo():
    assert list(stages())[-1] == "production", "the last stage is what `docker build .` makes"
    assert "RUN mv demo /srv/demo" in instructions("source")
    assert "COPY . ." not in instructions("production")
    assert "/srv/demo" not in instructions("production")
    assert "COPY --from=source /srv/demo demo" in instructions("staging")
