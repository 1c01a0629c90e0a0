"""The Django version of a test run, and a Python for it: `bin/test --django 6.1`.

python3 bin/versions.py 6.1     prints that Python, or fails when this machine has none
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import bootstrap

OPTION = "--django"
PYTHON_FOR = {"6.1": (3, 12)}
"""The other supported versions of Django, and the oldest Python of each."""
NEWEST = 14  # the newest minor version of Python 3 that is looked for


def choose_django(arguments: list[str]) -> list[str]:
    """Take `--django X` out of the arguments, and have `bootstrap` prepare that version.

    Starts the program again with another Python if this one is too old. Ends it with a sentence
    when there is none, or when Moa does not know the version.
    """
    if OPTION not in arguments:
        return arguments
    before, after = arguments[: arguments.index(OPTION)], arguments[arguments.index(OPTION) + 1 :]
    version = after[0] if after else ""
    if version not in PYTHON_FOR:
        bootstrap.cannot(f"{OPTION} takes one of: {', '.join(PYTHON_FOR)}")
    if sys.version_info < PYTHON_FOR[version]:
        start_again(version)
    os.environ[bootstrap.DJANGO] = version
    return [*before, *after[1:]]


def start_again(version: str) -> None:
    python = find_python(PYTHON_FOR[version])
    if not python:
        bootstrap.cannot(missing(version))
    os.execv(python, [python, *sys.argv])  # noqa: S606


def find_python(oldest: tuple[int, int]) -> str:
    """The newest working Python on this machine, or nothing."""
    minors = range(NEWEST, oldest[1] - 1, -1)
    return next((python for minor in minors for python in candidates(minor) if runs(python)), "")


def candidates(minor: int) -> list[str]:
    """Where Python 3.`minor` may be: on PATH, with uv, with pyenv."""
    name = f"3.{minor}"
    found = [
        shutil.which(f"python{name}"),
        output("uv", "python", "find", "--no-python-downloads", name),
    ]
    versions = output("pyenv", "versions", "--bare").split()
    for version in versions:
        if version.startswith(f"{name}."):
            found.append(os.path.join(output("pyenv", "prefix", version), "bin", "python"))
    return [python for python in found if python]


def runs(python: str) -> bool:
    """Whether it works: pyenv has commands on PATH that only report a missing version."""
    return output(python, "-c", "print(1)") == "1"


def output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def missing(version: str) -> str:
    python = "{}.{}".format(*PYTHON_FOR[version])
    return f"NOT RUN: Django {version} needs Python {python} or newer, and none was found here."


if __name__ == "__main__":
    path = find_python(PYTHON_FOR[sys.argv[1]])
    bootstrap.say(path or missing(sys.argv[1]))
    sys.exit(0 if path else 1)
