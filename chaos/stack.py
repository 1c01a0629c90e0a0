"""The stack: all of Moa with its own servers, on free ports, in one folder."""

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from chaos.unit import Unit
from tests.harness.ports import answers, free_port, wait_until
from tests.harness.postgresql import PostgreSQL
from tests.harness.processes import manage, production
from tests.harness.rabbitmq import RabbitMQ
from tests.harness.sessions import end_session, launch, python, send
from tests.harness.steered import give_order

WORKERS, RELAYS, SLOTS = 2, 2, 2
UNCERTAIN_WAIT = "5"  # seconds, so that resends are part of the run


class Stack:
    """Everything of one run; `units` are supervised from `start` to `stop`."""

    def __init__(
        self,
        *,
        subscribers: int = 300,
        pace: float = 0.03,
        proxied: Sequence[str] = ("smtp",),
        nodes: int = 1,
        inside: Path | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="moa-chaos-", dir=inside))
        self.folder.chmod(0o755)  # PostgreSQL runs as another user
        self.logs = self.folder / "logs"
        self.logs.mkdir()
        self.subscribers, self.pace = subscribers, pace
        self.postgresql = PostgreSQL(self.folder / "postgresql")
        self.nodes = [
            RabbitMQ(self.folder / f"rabbitmq{number}", clustered=nodes > 1)
            for number in range(nodes)
        ]
        self.broker = self.nodes[0]
        self.web_port, self.smtp_port = free_port(), free_port()
        self.ports = {"smtp": self.smtp_port}
        self.ways = {name: free_port() for name in proxied}
        self.broker_is_to_be_wiped = False
        self.held_nodes: set[int] = set()
        """The ports of nodes that must not be restarted yet."""
        self.sink_log = self.folder / "sink.jsonl"
        self.sink_log.touch()
        self.environ = self._environ()
        self.shop: dict[str, Any] = {}
        self.units: dict[str, Unit] = {}
        self.stopped = False

    def start(self) -> "Stack":
        """Start the servers, create the shop, start Moa, and wait until it works."""
        self._begin("broker", partial(self._start_broker, self.broker), wait=False)
        self._begin("postgresql", self._start_postgresql)
        self._begin("smtp", self._start_sink)
        for name, port in self.ways.items():
            place = [f"--port={port}", f"--to={self.ports[name]}"]
            self._begin(f"proxy.{name}", self._starter("proxy", ["-m", "chaos.proxy", *place]))
        manage(self.environ, "migrate", "--verbosity=0")
        self.shop = json.loads(
            manage(
                self.environ, "make_chaos_shop", f"--subscribers={self.subscribers}"
            ).splitlines()[-1]
        )
        wait_until(lambda: self.units["broker"].ups, seconds=120, what="RabbitMQ")
        self._form_cluster()
        for name, command in self._programs().items():
            self._begin(name, self._starter(name, command))
        wait_until(lambda: answers(self.web_port), seconds=60, what="the web server")
        for name in self.units:
            if name.startswith("worker"):
                wait_until(partial(self._says, name, " ready."), seconds=60, what=name)
        return self

    def stop(self) -> dict[str, float]:
        """Stop everything; return the seconds each of Moa's processes took after SIGTERM."""
        if self.stopped:
            return {}
        self.stopped = True
        for unit in self.units.values():
            unit.end()
        seconds = self._end_kindly([n for n in self.units if n.startswith(("web", "rel", "wor"))])
        for unit in self.units.values():
            if unit.keeper.is_alive():
                unit.keeper.join(130 if unit.name.startswith(("broker", "postgresql")) else 5)
            for session in unit.sessions:
                end_session(session)
        self.postgresql.discard()
        for node in reversed(self.nodes):
            node.discard()
        return seconds

    def remove(self) -> None:
        """Remove the folder with all its logs."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def steer(self, name: str, **order: Any) -> bool:
        """Send the SMTP server or a proxy an order; return whether it was running."""
        return give_order(self.units[name].process, order)

    def database(self) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(self.postgresql.url(), connect_timeout=5, autocommit=True)

    def named(self, prefix: str) -> list[Unit]:
        return [unit for name, unit in self.units.items() if name.startswith(prefix)]

    def _environ(self) -> dict[str, str]:
        passed_on = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
        kept = {n: v for n, v in os.environ.items() if n in passed_on or n.startswith("MAIL_")}
        return {
            **production(
                database_url=self.postgresql.url(),
                broker_url=";".join(node.url() for node in self.nodes),
                email_url=f"smtp://127.0.0.1:{self.ways.get('smtp', self.smtp_port)}",
                folder=self.folder,
            ),
            "MAIL_UNCERTAIN_WAIT": UNCERTAIN_WAIT,
            **kept,
            "DJANGO_SETTINGS_MODULE": "chaos.settings",
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "ignore",
        }

    def _programs(self) -> dict[str, list[str]]:
        web = [
            *("-m", "gunicorn", "moa.wsgi", f"--bind=127.0.0.1:{self.web_port}"),
            *("--workers=2", "--log-level=warning"),
        ]
        worker = ["-m", "celery", "-A", "moa", "worker", "-c", str(SLOTS), "-l", "INFO"]
        return {
            "web": web,
            **{f"relay{number}": ["manage.py", "relay"] for number in range(RELAYS)},
            **{
                f"worker{number}": [*worker, "-n", f"worker{number}@%h"]
                for number in range(WORKERS)
            },
        }

    def _begin(self, name: str, start: Callable[[], Any], *, wait: bool = True) -> None:
        unit = self.units[name] = Unit(name, start, tidy=name == "web")
        if wait:
            unit.begin()
        else:
            unit.keeper.start()

    def _starter(self, name: str, arguments: list[str]) -> Callable[[], Any]:
        return lambda: launch(
            python(*arguments),
            environ=self.environ,
            log=self._log(name),
            steered=name in ("smtp", "proxy"),
        )

    def _start_sink(self) -> Any:
        place = [f"--port={self.smtp_port}", f"--log={self.sink_log}", f"--pace={self.pace}"]
        process = self._starter("smtp", ["-m", "tests.harness.smtp_sink", *place])()
        wait_until(lambda: answers(self.smtp_port), what="the SMTP server")
        return process

    def _start_postgresql(self) -> Any:
        self.postgresql.start()
        return self.postgresql.process

    def _start_broker(self, node: RabbitMQ) -> Any:
        while node.port in self.held_nodes and not self.stopped:
            time.sleep(0.05)
        if self.broker_is_to_be_wiped:
            self.broker_is_to_be_wiped = False
            node.wipe()
        node.start()
        return node.process

    def _form_cluster(self) -> None:
        """Start the other nodes and let them join the first; they share its port mapper."""
        for number, node in enumerate(self.nodes[1:], start=1):
            node.epmd_port, node.epmd = self.broker.epmd_port, self.broker.epmd
            self._begin(f"broker{number}", partial(self._start_broker, node))
            for step in (["stop_app"], ["join_cluster", self.broker.node], ["start_app"]):
                node.ctl(*step)

    def _end_kindly(self, names: list[str]) -> dict[str, float]:
        began = time.monotonic()
        for name in names:
            send(self.units[name].pid, signal.SIGTERM)
        seconds: dict[str, float] = {}
        while len(seconds) < len(names) and time.monotonic() - began < 30:
            for name in names:
                if name not in seconds and self.units[name].pid is None:
                    seconds[name] = round(time.monotonic() - began, 2)
            time.sleep(0.05)
        return seconds

    def log_of(self, name: str) -> str:
        """Everything that a unit has printed so far."""
        return self._log(name).read_text(errors="replace")

    def _says(self, name: str, text: str) -> bool:
        return text in self.log_of(name)

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"
