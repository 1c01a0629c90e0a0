"""The programs `smtp-sink` and `smtp-source` of Debian's package postfix.

If they are not installed, the package is downloaded and unpacked into the benchmark's folder:
nothing is configured, and no mail server is started.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

UNPACKED = Path(sys.prefix) / "postfix"
LIBRARIES = "usr/lib/postfix"


def program(name: str) -> Path:
    """The path of a program; downloads the package if it is missing.

    Raises FileNotFoundError where there is no apt-get to fetch it with.
    """
    installed = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if installed:
        return Path(installed)
    if not (UNPACKED / "usr/sbin" / name).exists():
        fetch()
    return UNPACKED / "usr/sbin" / name


def environ() -> dict[str, str]:
    """The environment in which an unpacked program finds its libraries."""
    return os.environ | {"LD_LIBRARY_PATH": str(UNPACKED / LIBRARIES)}


def version() -> str:
    """The version of the package, or "installed" if the system's own is used."""
    noted = UNPACKED / "version"
    return noted.read_text() if noted.exists() else "installed"


def fetch() -> None:
    """Download and unpack the package."""
    if not shutil.which("apt-get"):
        raise FileNotFoundError("install smtp-sink and smtp-source: they come with postfix")
    with tempfile.TemporaryDirectory(prefix="moa-postfix-") as folder:
        os.chmod(folder, 0o777)  # noqa: S103  apt fetches as a user of its own
        if not _downloads(folder):
            if os.geteuid() == 0:
                _run("apt-get", "update", "-qq", folder=folder)
            if not _downloads(folder):
                raise FileNotFoundError("apt-get download postfix failed; run apt-get update")
        (package,) = Path(folder).glob("postfix_*.deb")
        _run("dpkg", "-x", str(package), str(UNPACKED), folder=folder)
        (UNPACKED / "version").write_text(package.name.split("_")[1])


def _downloads(folder: str) -> bool:
    return _run("apt-get", "download", "-qq", "postfix", folder=folder) == 0


def _run(*command: str, folder: str) -> int:
    return subprocess.run(command, cwd=folder, stderr=subprocess.DEVNULL).returncode  # noqa: S603
