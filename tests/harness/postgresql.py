"""A private PostgreSQL in a temporary folder. Standard library only."""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.harness.ports import answers, free_port, wait_until
from tests.harness.sessions import launch

BINARIES = "/usr/lib/postgresql/*/bin"

SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
}


def installed() -> Path | None:
    """The folder of the newest PostgreSQL server here, or None."""
    folders = [Path(folder) for folder in glob.glob(BINARIES)]
    on_path = shutil.which("postgres")
    return max(folders, key=_version, default=Path(on_path).parent if on_path else None)


class PostgreSQL:
    """One cluster with its own folder and port; superuser `postgres`, no password, loopback only."""

    def __init__(self, folder: Path | None = None, **settings: str) -> None:
        binaries = installed()
        if binaries is None:
            raise FileNotFoundError("PostgreSQL's server is not installed")
        self.binaries = binaries
        self.folder = folder or Path(tempfile.mkdtemp(prefix="moa-postgresql-"))
        self.settings = SETTINGS | settings
        self.port = free_port()
        self.user = _unprivileged()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "PostgreSQL":
        """Create the cluster if there is none, start it, and wait until it responds."""
        if not (self.data / "PG_VERSION").exists():
            self._create()
        self.process = launch(
            [self.binaries / "postgres", "-D", self.data, *self._options()],
            log=self.log,
            folder=self.folder,
            user=self.user,
        )
        wait_until(self._is_ready, what="PostgreSQL", alive=self._trouble)
        return self

    def stop(self) -> None:
        """Fast shutdown: sessions are closed, everything is written."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Immediate shutdown: the next start recovers from the WAL, as after a crash."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """SIGKILL to the postmaster; its children notice and exit."""
        self._end(signal.SIGKILL)

    def discard(self) -> None:
        """Stop it and remove its folder."""
        self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    @property
    def version(self) -> str:
        shown = subprocess.run(
            [self.binaries / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        return shown.stdout.split()[2]

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def _create(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.user is not None:
            shutil.chown(self.folder, self.user)
        subprocess.run(
            [
                self.binaries / "initdb",
                *("--pgdata", self.data, "--username", "postgres", "--auth", "trust"),
                *("--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            user=self.user,
            cwd=self.folder,
        )

    def _options(self) -> list[str]:
        places = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
        }
        return [
            part
            for name, value in (self.settings | places).items()
            for part in ("-c", f"{name}={value}")
        ]

    def _is_ready(self) -> bool:
        if not answers(self.port):
            return False
        asked = subprocess.run(
            [self.binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        )
        return asked.returncode == 0

    def _trouble(self) -> str:
        if self.process is None or self.process.poll() is None:
            return ""
        return f"it ended with {self.process.returncode}:\n{self.log.read_text()[-2000:]}"

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(timeout=60)
        self.process = None
        if how == signal.SIGKILL:
            self._await_orphans()

    def _await_orphans(self) -> None:
        """A postmaster cannot start while a child of the last one uses its shared memory."""
        wait_until(lambda: not _is_at_work_in(self.data), what="the end of PostgreSQL's children")
        (self.data / "postmaster.pid").unlink(missing_ok=True)


def _version(binaries: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in binaries.parent.name.split(".") if part.isdigit())


def _unprivileged() -> str | None:
    """The user the server runs as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _is_at_work_in(data: Path) -> bool:
    for link in glob.glob("/proc/[0-9]*/cwd"):
        try:
            if os.readlink(link) == str(data):
                return True
        except OSError:
            continue
    return False
