"""A private RabbitMQ node in a temporary folder. Standard library only.

The node has its own name, ports, data, cookie and port mapper (epmd), all on the loopback
interface, so it meets no other node on the machine.
"""

import glob
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.harness.ports import answers, free_port, wait_until
from tests.harness.sessions import launch

SCRIPTS = "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin"

CONFIGURATION = """
listeners.tcp.1 = 127.0.0.1:{port}
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
log.file.level = warning
cluster_name = {node}
"""

# As a cluster in production should have it, see docs/operations.md.
CLUSTERED = "cluster_partition_handling = pause_minority"
TICKS = (
    "-kernel net_ticktime 10"  # seconds after which a silent node counts as gone, instead of 60
)

# Creates virtual hosts for the default user in one call of rabbitmqctl, which takes a second.
ADD_VHOSTS = """
[begin
    rabbit_vhost:add(Name, <<"tests">>),
    rabbit_auth_backend_internal:set_permissions(
        <<"guest">>, Name, <<".*">>, <<".*">>, <<".*">>, <<"tests">>)
 end || Name <- [{names}]].
"""


def installed() -> Path | None:
    """The folder of the newest server's scripts here, or None.

    Not the commands in /usr/sbin: those change to the user `rabbitmq` and its system-wide node.
    """
    return max((Path(folder) for folder in glob.glob(SCRIPTS)), key=_version, default=None)


class RabbitMQ:
    """One node; user `guest`, password `guest`, loopback only."""

    def __init__(self, folder: Path | None = None, *, clustered: bool = False) -> None:
        scripts = installed()
        if scripts is None:
            raise FileNotFoundError("RabbitMQ's server is not installed")
        self.scripts = scripts
        self.clustered = clustered
        self.folder = folder or Path(tempfile.mkdtemp(prefix="moa-rabbitmq-"))
        self.port, self.distribution_port, self.epmd_port = free_port(), free_port(), free_port()
        self.node = f"moa-{self.port}@localhost"
        self.epmd: subprocess.Popen[bytes] | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "RabbitMQ":
        """Start the node with the data in its folder, and wait until it accepts connections."""
        self._prepare()
        if self.epmd is None:
            self.epmd = self._spawn("epmd", "-port", str(self.epmd_port), "-address", "127.0.0.1")
            wait_until(lambda: answers(self.epmd_port), what="epmd")
        self.process = self._spawn(self.scripts / "rabbitmq-server")
        wait_until(self._is_ready, seconds=120, every=0.1, what="RabbitMQ", alive=self._trouble)
        return self

    def stop(self) -> None:
        """Shut the node down cleanly."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the node."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Freeze the node: connections stay open, but nothing responds."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def wipe(self) -> None:
        """Delete everything a stopped node has stored."""
        shutil.rmtree(self.folder / "data")

    def discard(self) -> None:
        """Kill the node and its port mapper, and remove the folder."""
        self.kill()
        if self.epmd is not None:
            self.epmd.kill()
            self.epmd.wait()
            self.epmd = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def add_vhosts(self, *names: str) -> list[str]:
        """Create virtual hosts and return their URLs."""
        self.ctl("eval", ADD_VHOSTS.format(names=",".join(f'<<"{name}">>' for name in names)))
        return [self.url(name) for name in names]

    def delete_vhost(self, name: str) -> None:
        self.ctl("delete_vhost", name)

    def alarm(self, *, on: bool) -> None:
        """Raise or lift the memory alarm, which blocks every publisher."""
        self.ctl("set_vm_memory_high_watermark", "absolute", "1" if on else "1GB")

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl and return what it prints. Raises CalledProcessError."""
        ran = subprocess.run(
            [self.scripts / "rabbitmqctl", "--quiet", *arguments],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        return ran.stdout

    def url(self, vhost: str = "/") -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{vhost}"

    @property
    def pid(self) -> int:
        """The pid of the Erlang VM; the script that started it is only its parent."""
        return int(self._pid_file.read_text())

    @property
    def version(self) -> str:
        return self.scripts.parent.name.rpartition("-")[2]

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def _pid_file(self) -> Path:
        return self.folder / "pid"

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = CONFIGURATION.format(port=self.port, node=self.node)
        (self.folder / "rabbitmq.conf").write_text(
            settings + (f"{CLUSTERED}\n" if self.clustered else "")
        )
        (self.folder / "plugins").write_text("[].\n")
        cookie = self.folder / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text("moa")
            cookie.chmod(0o400)

    def _environment(self) -> dict[str, str]:
        folder = str(self.folder)
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": folder,
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/logs",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_PID_FILE": str(self._pid_file),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none"
                + (f" {TICKS}" if self.clustered else "")
            ),
        }

    def _spawn(self, *command: str | Path) -> subprocess.Popen[bytes]:
        return launch(command, environ=self._environment(), log=self.log, folder=self.folder)

    def _is_ready(self) -> bool:
        return self._pid_file.exists() and answers(self.port)

    def _trouble(self) -> str:
        if self.process is None or self.process.poll() is None:
            return ""
        return f"it ended with {self.process.returncode}:\n{self.log.read_text()[-2000:]}"

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            os.kill(self.pid if self._pid_file.exists() else self.process.pid, how)
        self.process.wait(timeout=60)
        self.process = None
        self._pid_file.unlink(missing_ok=True)


def _version(scripts: Path) -> tuple[int, ...]:
    numbers = scripts.parent.name.rpartition("-")[2].split(".")
    return tuple(int(part) for part in numbers if part.isdigit())
