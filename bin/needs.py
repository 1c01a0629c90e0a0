"""What the tests need that is not a Python package, and how to get it."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.harness import postgresql, rabbitmq

POLICY = Path("/usr/sbin/policy-rc.d")


@dataclass(frozen=True)
class Need:
    """A server or a program; tests that use it carry the marker `mark`."""

    name: str
    package: str
    mark: str
    is_there: Callable[[], object]


NEEDS = [
    Need(
        "PostgreSQL",
        "postgresql",
        "postgresql",
        lambda: os.environ.get("TEST_DATABASE_URL") or postgresql.installed(),
    ),
    Need(
        "RabbitMQ",
        "rabbitmq-server",
        "rabbitmq",
        lambda: os.environ.get("TEST_BROKER_URL") or rabbitmq.installed(),
    ),
    Need(
        "Chromium",
        "chromium",
        "browser",
        lambda: shutil.which("chromium") or not glob.glob("tests/browser/test_*.py"),
    ),
]


def missing(say: Callable[[str], None]) -> list[Need]:
    """What is missing, after an attempt to install it (as root, with apt-get)."""
    return [need for need in NEEDS if not _have(need, say)]


@contextlib.contextmanager
def database() -> Iterator[str]:
    """The URL of PostgreSQL for the tests: the given one, a private one, or none."""
    given = os.environ.get("TEST_DATABASE_URL", "")
    if given or not postgresql.installed():
        yield given
        return
    server = postgresql.PostgreSQL()
    try:
        yield server.start().url("moa")
    finally:
        server.discard()


def _have(need: Need, say: Callable[[str], None]) -> bool:
    if not need.is_there() and os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"Moa: installing {need.name} (apt-get install {need.package}) …")
        with _no_services():
            environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            for command in (
                "update -qq",
                f"install -y -qq --no-install-recommends {need.package}",
            ):
                line = ["apt-get", *command.split()]
                subprocess.run(line, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603
    return bool(need.is_there())


@contextlib.contextmanager
def _no_services() -> Iterator[None]:
    """Keep Debian from starting the servers it installs."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
