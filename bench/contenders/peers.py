"""The peers, each in the fastest setup of its documentation, and how they are driven."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from bench.asked import Asked
from bench.contenders.contender import Contender
from bench.moa import servers
from bench.scene import Scene
from bench.sinks import Sink
from tests.harness.ports import free_port
from tests.harness.processes import PROJECT, Process

SETTINGS = "bench.contenders.settings"
FIRST = 10  # mails that show that it works


@dataclass
class Peer:
    """A module of this package that is asked to send, and the processes that work for it."""

    title: str
    module: str
    app: str = ""
    database: bool = False
    celery: bool = False
    servers_of_its_own: int = 0
    """How many uvicorn processes serve its requests."""
    warm: int = 200
    least: int = 1000
    processes: list[Process] = field(default_factory=list)
    named: dict[str, int] = field(default_factory=dict)

    def start(self, scene: Scene, sink: Sink, notice: Path, ending: ExitStack) -> None:
        self.processes, self.named = [], {}
        ports = [free_port() for _ in range(self.servers_of_its_own)]
        environ = self._environ(scene, sink, notice) | {"PORTS": " ".join(map(str, ports))}
        if self.database:
            self._make_database(scene, environ)
        module = f"bench.contenders.{self.module}"
        if self.celery:
            command = ["celery", "-A", module, "worker", "-c", "2"]
            ending.enter_context(self.begin("worker", command, r"\[queues\]", environ))
        for port in ports:
            command = ["uvicorn", f"{module}:web", f"--port={port}", "--log-level=info"]
            ending.enter_context(self.begin(f"web{port}", command, "running on", environ))
        sender = Asked("-m", "bench.answering", module, environ=environ)
        ending.callback(sender.discard)
        self.sender = sender
        sender.ask("ready")
        self.named["sender"] = sender.popen.pid
        used = {"postgresql": self.database, "rabbitmq": self.celery}
        there = servers(scene.postgresql, scene.rabbitmq)
        self.named |= {name: pid for name, pid in there.items() if used[name]}
        self.send(FIRST)
        sink.wait_for(FIRST, seconds=60, alive=self.trouble)

    @contextmanager
    def begin(
        self, name: str, command: list[str], ready: str, environ: dict[str, str]
    ) -> Iterator[None]:
        process = Process("-m", *command, environ=environ, name=name, ready=ready)
        try:
            self.processes.append(process)
            self.named[name] = process.wait_ready().popen.pid
            yield
        finally:
            process.discard()

    def prepare(self, count: int) -> None:
        """Nothing: the sender makes the recipients up."""

    def send(self, count: int) -> float:
        return float(self.sender.ask("send", count=count)["began"])

    @property
    def roots(self) -> Mapping[str, int]:
        return self.named

    def trouble(self) -> str:
        return "\n".join(one.output()[-3000:] for one in self.processes if not one.is_running())

    def _environ(self, scene: Scene, sink: Sink, notice: Path) -> dict[str, str]:
        name = scene.fresh_name(self.module)
        return dict(os.environ) | {
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "DATABASE_URL": scene.postgresql.url(name),
            "BROKER_URL": scene.vhost() if self.celery else "",
            "SMTP_PORT": str(sink.port),
            "NOTICE": str(notice),
            "APP": self.app,
        }

    def _make_database(self, scene: Scene, environ: Mapping[str, str]) -> None:
        name = environ["DATABASE_URL"].rpartition("/")[2]
        with psycopg.connect(scene.postgresql.url(), autocommit=True) as session:
            session.execute(f"CREATE DATABASE {name}".encode())
        command = [sys.executable, "-m", "django", "migrate", "--verbosity=0"]
        subprocess.run(command, cwd=PROJECT, env=dict(environ), check=True)  # noqa: S603


NAIVE = Peer("One Celery task per mail", "celery_task", celery=True)


def peers() -> list[Contender]:
    """All of them, new."""
    return [
        Peer("Django send(), connection per mail", "django_per_mail"),
        Peer("Django send_messages(), one connection", "django_one_connection"),
        NAIVE,
        Peer(
            "django-celery-email, chunks of 100", "celery_email", app="djcelery_email", celery=True
        ),
        Peer("django-post-office, 2 processes", "post_office", app="post_office", database=True),
        Peer("django-mailer", "mailer", app="mailer", database=True),
        Peer("FastAPI + fastapi-mail + Celery", "fastapi_celery", celery=True),
        Peer("FastAPI BackgroundTasks, 2 processes", "fastapi_background", servers_of_its_own=2),
    ]
