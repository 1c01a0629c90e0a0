"""The scene: private servers, on which each section sets up its shops and sinks."""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

from bench import moa
from bench.moa import Moa
from bench.sinks import Sink
from tests.harness.postgresql import PostgreSQL
from tests.harness.rabbitmq import RabbitMQ

POSTGRESQL = {"shared_buffers": "256MB", "max_wal_size": "4GB", "max_connections": "300"}
"""In addition to the tests' settings, which include fsync and full_page_writes."""


class Scene:
    """PostgreSQL and RabbitMQ from its start to its end; all else is a section's own.

    `postgresql` are additional settings of the server.

    Whatever a section left running, as after an error, ends with the scene.
    """

    def __init__(self, *, quick: bool = False, **postgresql: str) -> None:
        self.quick = quick
        self.ends = ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="moa-bench-"))
        self.folder.chmod(0o755)  # PostgreSQL runs as another user
        self.postgresql = PostgreSQL(self.folder / "postgresql", **POSTGRESQL, **postgresql)
        self.rabbitmq = RabbitMQ(self.folder / "rabbitmq")
        self.began = time.monotonic()
        self.made = 0
        self.vhosts: list[str] = []

    def __enter__(self) -> "Scene":
        self.say("starting PostgreSQL and RabbitMQ")
        self.ends.callback(self.postgresql.discard)
        self.postgresql.start()
        self.ends.callback(self.rabbitmq.discard)
        self.rabbitmq.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ends.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def sink(self, *, pipelining: bool = True, options: tuple[str, ...] = ()) -> Iterator[Sink]:
        """A fast server that counts; `options` go to `smtp-sink`."""
        sink = Sink(pipelining=pipelining, options=options)
        try:
            yield sink
        finally:
            sink.discard()

    @contextmanager
    def moa(self, email_url: str, **environ: str) -> Iterator[Moa]:
        """A shop with a fresh database, nothing of it running yet: `start()` does.

        Its processes end with the block, in a quick run without having waited for anything; their
        output is shown if the block fails.
        """
        shop = Moa(
            self.postgresql,
            self.rabbitmq,
            name=self.fresh_name("moa"),
            broker_url=self.vhost(),
            email_url=email_url,
            environ=environ,
        )
        try:
            yield shop
        except BaseException:
            self.say(shop.processes.output()[-5000:])
            shop.discard()
            raise
        shop.stop(gently=not self.quick)

    @property
    def servers(self) -> dict[str, int]:
        """The pids of the servers, for `measure.measured`."""
        return moa.servers(self.postgresql, self.rabbitmq)

    def vhost(self) -> str:
        """The URL of a virtual host that nobody has used; they are made a dozen at a time."""
        if not self.vhosts:
            self.vhosts = self.rabbitmq.add_vhosts(*(self.fresh_name("vhost") for _ in range(12)))
        return self.vhosts.pop()

    def fresh_name(self, kind: str) -> str:
        """A new name for a database or a virtual host of this scene."""
        self.made += 1
        return f"{kind}_{self.made}"

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began

    def say(self, text: str) -> None:
        """Show progress."""
        sys.stderr.write(f"[{self.elapsed:6.1f} s] {text}\n")
        sys.stderr.flush()
