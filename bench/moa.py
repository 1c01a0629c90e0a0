"""All of Moa on the servers of the scene, run as in production."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from bench.asked import Asked
from tests.harness.ports import wait_until
from tests.harness.postgresql import PostgreSQL
from tests.harness.processes import Process, Processes, manage, production
from tests.harness.rabbitmq import RabbitMQ

WORKER = ("-c", "2")
TEMPLATE = "moa_template"


class Moa:
    """One shop: its own database and virtual host, a program that acts for it, its processes."""

    def __init__(
        self,
        postgresql: PostgreSQL,
        rabbitmq: RabbitMQ,
        *,
        name: str,
        broker_url: str,
        email_url: str,
        environ: Mapping[str, str],
    ) -> None:
        self.postgresql, self.rabbitmq, self.name = postgresql, rabbitmq, name
        self.folder = Path(tempfile.mkdtemp(prefix="moa-bench-"))
        self.environ = production(
            database_url=postgresql.url(name),
            broker_url=broker_url,
            email_url=email_url,
            folder=self.folder,
        ) | dict(environ)
        make_database(postgresql, name, self.environ)
        self.processes = Processes(self.environ)
        self.named: dict[str, int] = {}
        self._shop: Asked | None = None
        self._programs: list[Asked] = []

    def acts(self, **environ: str) -> Asked:
        """Start the program `bench.acts`; it ends with this Moa. `environ` is added to its own."""
        asked = Asked("-m", "bench.answering", "bench.acts", environ=self.environ | environ)
        self._programs.append(asked)
        asked.ask("ready")
        return asked

    @property
    def shop(self) -> Asked:
        """The program `bench.shop`, which acts as the web processes do; started when first used."""
        if self._shop is None:
            self._shop = Asked("-m", "bench.answering", "bench.shop", environ=self.environ)
            self._shop.ask("ready")
        return self._shop

    def start(self, *worker: str) -> "Moa":
        """Start a relay and a worker (`-c 2` unless told otherwise) and wait until they work."""
        relay, process = self.processes.relay(), self.processes.worker(*(worker or WORKER))
        self.shop.ask("ready")
        self._named("relay", relay)
        self._named("worker", process)
        return self

    def crew(self, *workers: tuple[str, ...], relays: int = 1) -> None:
        """Start relays, and a worker for each set of options, all at once; wait until they work."""
        leading = [self.processes.relay() for _ in range(relays)]
        started = [self.processes.worker(*options) for options in workers]
        for number, worker in enumerate(started):
            self._named(f"worker{number}", worker)
        wait_until(  # one leads; the others say nothing as long as they wait
            lambda: any(relay.ready.search(relay.output()) for relay in leading),
            seconds=60,
            what="a relay",
            alive=self.trouble,
        )
        self.named |= {f"relay{number}": one.popen.pid for number, one in enumerate(leading)}

    def relay(self) -> Process:
        return self._named("relay", self.processes.relay())

    def worker(self, *options: str, name: str = "worker", **environ: str) -> Process:
        """Start one more worker, such as `worker("-Q", "mail.bulk", name="bulk")`."""
        return self._named(name, self.processes.worker(*(options or WORKER), **environ))

    def web(self, *options: str, **environ: str) -> int:
        """Start gunicorn with two workers, unless told otherwise; returns its port."""
        process, port = self.processes.web(*(options or ("--workers=2",)), **environ)
        self._named("web", process)
        return port

    @property
    def roots(self) -> dict[str, int]:
        """The pids whose trees do the work, for `measure.measured`."""
        shop = {"shop": self._shop.popen.pid} if self._shop else {}
        return self.named | shop | servers(self.postgresql, self.rabbitmq)

    def trouble(self) -> str:
        """Why nothing more will come, or an empty string: for `wait_until(alive=…)`."""
        return "\n".join(
            f"{process.name} ended:\n{process.output()[-3000:]}"
            for process in self.processes.started
            if not process.is_running()
        )

    def database(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """A session of its own on Moa's database, autocommit."""
        return psycopg.connect(self.postgresql.url(self.name), autocommit=True)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.database() as session:
            return session.execute(query.encode(), values).fetchall()

    def manage(self, *arguments: str) -> str:
        return manage(self.environ, *arguments)

    def stop(self, *, gently: bool = True) -> str:
        """Discard it; return the output of its processes.

        They end as in a deployment, or immediately, with the mails they are sending.
        """
        self._end_programs()
        if gently:
            for process in self.processes.started:
                if process.is_running():
                    process.popen.terminate()
            for process in self.processes.started:
                process.stop()
        printed = self.processes.discard()
        drop_database(self.postgresql, self.name)
        shutil.rmtree(self.folder, ignore_errors=True)
        return printed

    def discard(self) -> None:
        """End what still runs."""
        self._end_programs()
        self.processes.discard()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end_programs(self) -> None:
        for program in [*self._programs, *([self._shop] if self._shop else [])]:
            program.discard()

    def _named(self, name: str, process: Process) -> Process:
        self.named[name] = process.wait_ready().popen.pid
        return process


def servers(postgresql: PostgreSQL, rabbitmq: RabbitMQ) -> dict[str, int]:
    """The pids of the servers; their CPU counts to each contender that uses them."""
    assert postgresql.process  # noqa: S101
    return {"postgresql": postgresql.process.pid, "rabbitmq": rabbitmq.pid}


def make_database(postgresql: PostgreSQL, name: str, environ: Mapping[str, str]) -> None:
    """A database with Moa's tables, empty; migrated once and copied from then on."""
    with psycopg.connect(postgresql.url(), autocommit=True) as session:
        found = session.execute("SELECT FROM pg_database WHERE datname = %s", [TEMPLATE])
        if not found.rowcount:
            session.execute(f"CREATE DATABASE {TEMPLATE}")
            there = {**environ, "DATABASE_URL": postgresql.url(TEMPLATE)}
            manage(there, "migrate", "--verbosity=0")
        session.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}".encode())


def drop_database(postgresql: PostgreSQL, name: str) -> None:
    with psycopg.connect(postgresql.url(), autocommit=True) as session:
        session.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
