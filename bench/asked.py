"""A program that is asked: one JSON object a line in, one a line out.

`Asked` is the asking side, in the benchmark; `answer` the answering side, in the program.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.harness.sessions import launch, python


class ProgramFailed(RuntimeError):
    """The program ended without an answer; the message is its last output."""


class Asked:
    """A program that carries out one order at a time."""

    def __init__(self, *arguments: str, environ: Mapping[str, str]) -> None:
        self.log = Path(tempfile.mkstemp(prefix="moa-asked-", suffix=".log")[1])
        command = python(*arguments)
        self.popen = launch(command, environ=environ, log=self.log, steered=True, answers=True)

    def ask(self, order: str, **details: Any) -> dict[str, Any]:
        """Give an order and wait for its answer. Raises ProgramFailed."""
        self.tell(order, **details)
        return self.hear()

    def tell(self, order: str, **details: Any) -> None:
        """Give an order; `hear` its answer later."""
        assert self.popen.stdin  # noqa: S101
        self.popen.stdin.write(json.dumps({"do": order} | details).encode() + b"\n")
        self.popen.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self.popen.stdout  # noqa: S101
        line = self.popen.stdout.readline()
        if not line:
            self.popen.wait()
            raise ProgramFailed(self.log.read_text(errors="replace")[-3000:])
        return dict(json.loads(line))

    def discard(self) -> None:
        self.popen.kill()
        self.popen.wait()
        self.log.unlink(missing_ok=True)


def answer(orders: Mapping[str, Callable[..., Mapping[str, Any]]]) -> None:
    """Carry out orders from standard input until it ends."""
    for line in sys.stdin:
        details = json.loads(line)
        answered = orders[details.pop("do")](**details)
        sys.stdout.write(json.dumps(answered) + "\n")
        sys.stdout.flush()
