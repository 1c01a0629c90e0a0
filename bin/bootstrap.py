"""Create the project's virtual environments, with only the standard library.

`bin/up` and `bin/test` share `.venv`; the benchmark has its own. A stamp in each, written last,
says what was installed; an environment without one is incomplete and is created again.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
NEEDED = (3, 11)
CANNOT = 3  # the exit code if the machine lacks something
DJANGO = "MOA_DJANGO"  # the variable that selects another version of Django than the pinned one


def environment(requirements: str, project: Path = PROJECT, folder: str = ".venv") -> Path:
    """The Python of `folder`, with the pinned requirements of a file installed.

    With MOA_DJANGO=6.1 that is `.venv-6.1`, with the pins of constraints-django-6.1.txt in place
    of those they differ from. Installs only what has changed since the last time. If the machine
    lacks something, ends the program with an explanation and exit code 3.
    """
    if sys.version_info < NEEDED:
        cannot(too_old())
    django = os.environ.get(DJANGO, "") if folder == ".venv" else ""
    lock = os.open(str(project), os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # bin/up and bin/test may start at the same time
        if django:
            changes = f"constraints-django-{django}.txt"
            return prepared(requirements, project, project / f"{folder}-{django}", changes)
        return prepared(requirements, project, project / folder)
    finally:
        os.close(lock)


def prepared(requirements: str, project: Path, folder: Path, changes: str = "") -> Path:
    python = folder / "bin" / "python"
    stamp = folder / "moa.json"
    wanted = wanted_stamp(requirements, project, changes)
    found = read_stamp(stamp)
    if wanted.items() <= found.items() and python.exists():
        return python
    if found.get("python") != wanted["python"] or not python.exists():
        say(f"Moa: creating {folder.name} with Python {wanted['python']} …")
        create(folder)
    stamp.unlink(missing_ok=True)
    install(requirements, project, python, changes)
    stamp.write_text(json.dumps(wanted), encoding="utf-8")
    return python


def wanted_stamp(requirements: str, project: Path, changes: str = "") -> dict[str, str]:
    """The stamp of a finished environment: its Python, and a digest of each requirements file."""
    files = [requirements, *included(requirements, project)]
    stamp = {"python": "{}.{}.{}".format(*sys.version_info[:3])}
    for name in (*files, "constraints.txt", *filter(None, [changes])):
        stamp[name] = hashlib.sha256((project / name).read_bytes()).hexdigest()
    return stamp


def included(requirements: str, project: Path) -> list[str]:
    lines = (project / requirements).read_text(encoding="utf-8").splitlines()
    beside = os.path.dirname(requirements)
    names = [line[3:].strip() for line in lines if line.startswith("-r ")]
    return [os.path.normpath(os.path.join(beside, name)) for name in names]


def read_stamp(stamp: Path) -> dict[str, str]:
    try:
        return dict(json.loads(stamp.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def create(folder: Path) -> None:
    # Not sys.executable, which may be in the folder that is being recreated.
    executable = getattr(sys, "_base_executable", sys.executable)
    shutil.rmtree(str(folder), ignore_errors=True)
    if uv():
        run([uv(), "venv", "--quiet", "--python", executable, str(folder)])
        return
    if not importlib.util.find_spec("ensurepip"):
        install_ensurepip()
    run([executable, "-m", "venv", str(folder)])


def install(requirements: str, project: Path, python: Path, changes: str = "") -> None:
    began = time.monotonic()
    say(f"Moa: installing {requirements} (the first time takes a minute) …")
    arguments = ["-r", str(project / requirements), "-c", str(project / "constraints.txt")]
    if changes:
        arguments = changed(requirements, project, python.parent.parent, changes)
    if uv():
        run([uv(), "pip", "install", "--quiet", "--python", str(python), *arguments])
    else:
        options = ["--quiet", "--no-input", "--disable-pip-version-check"]
        run([str(python), "-m", "pip", "install", *options, *arguments])
    say(f"Moa: installed in {time.monotonic() - began:.0f} s.")


def changed(requirements: str, project: Path, folder: Path, changes: str) -> list[str]:
    """The arguments of pip with some pins changed, from files written into the environment."""
    pins = {package(line): line for line in lines_of(project / changes)}
    arguments = []
    for option, names in (
        ("-r", [requirements, *included(requirements, project)]),
        ("-c", ["constraints.txt"]),
    ):
        lines = [
            pins.get(package(line), line) for name in names for line in lines_of(project / name)
        ]
        written = folder / f"moa{option}.txt"
        written.write_text("\n".join(lines), encoding="utf-8")
        arguments += [option, str(written)]
    return arguments


def lines_of(file: Path) -> list[str]:
    """The pins of a file, without comments and what it includes."""
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def package(pin: str) -> str:
    """The name of the package that a line pins, in the form in which names are compared."""
    return re.split(r"[\[=]", pin)[0].lower().replace("_", "-")


def install_ensurepip() -> None:
    """Debian has `ensurepip` in a separate package."""
    line = "apt-get install -y python3-venv"
    if not shutil.which("apt-get"):
        cannot("This Python has no ensurepip, so it cannot create virtual environments.")
    if os.geteuid() != 0:
        cannot("This Python cannot create virtual environments yet. Run:\n  sudo " + line)
    say("Moa: " + line + " …")
    run(["apt-get", "update", "-qq"])
    run([*line.split(), "-qq"])
    importlib.invalidate_caches()
    if not importlib.util.find_spec("ensurepip"):
        cannot(f"python3-venv is not for this Python, {sys.executable}.")


def too_old() -> str:
    version = "{}.{}.{}".format(*sys.version_info[:3])
    text = f"Moa needs Python 3.11 or newer; this is {version}."
    for minor in range(14, 10, -1):
        newer = shutil.which(f"python3.{minor}")
        if newer:
            return f"{text} Start it with {newer}."
    return text


def uv() -> str:
    return shutil.which("uv") or ""


def run(command: list[str]) -> None:
    """Run a command quietly; if it fails, print its output and exit."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # noqa: S603
    if done.returncode:
        said = done.stdout.decode(errors="replace").strip()
        cannot("{}\nThis command failed: {}".format(said, " ".join(command)))


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def cannot(text: str) -> None:
    say(text)
    sys.exit(CANNOT)
