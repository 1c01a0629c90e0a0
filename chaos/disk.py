"""A small disk: a tmpfs for the data of a private PostgreSQL, and a ballast that fills it."""

import errno
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

MEGABYTES = 300


class CannotMount(Exception):
    """A tmpfs cannot be mounted on this machine; the message says why."""


class SmallDisk:
    """A tmpfs on a folder for the duration of a `with` block; its content is lost then."""

    def __init__(self, folder: Path, *, owner: str | None) -> None:
        self.folder, self.owner = folder, owner
        self.ballast = folder / "ballast"

    def __enter__(self) -> "SmallDisk":
        """Raises CannotMount."""
        self.folder.mkdir(parents=True)
        options = f"size={MEGABYTES}m,mode=0700"
        command = ["mount", "-t", "tmpfs", "-o", options, "moa-chaos", str(self.folder)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
        except FileNotFoundError as error:
            raise CannotMount(str(error)) from None
        except subprocess.CalledProcessError as error:
            raise CannotMount(error.stderr.strip()) from None
        if self.owner:
            shutil.chown(self.folder, self.owner)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", self.folder], check=True)  # noqa: S603, S607

    def fill(self) -> None:
        """Grow the ballast into all free space."""
        place = os.open(self.ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            while True:
                os.write(place, bytes(1 << 20))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        finally:
            os.close(place)
        if self.owner:  # PostgreSQL looks at every file of its folder as it recovers
            shutil.chown(self.ballast, self.owner)

    def free(self) -> None:
        """Remove the ballast."""
        with suppress(FileNotFoundError):
            self.ballast.unlink()
