"""Programs that are controlled by lines of JSON on their standard input."""

import json
import signal
import subprocess
from contextlib import suppress
from typing import Any, Self

from tests.harness.ports import answers, free_port, wait_until
from tests.harness.sessions import launch, python, send


def give_order(process: "subprocess.Popen[bytes] | None", order: dict[str, Any]) -> bool:
    """Send a program an order; return whether it was running."""
    if process is None or process.stdin is None:
        return False
    with suppress(OSError):
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
        return True
    return False


class Steered:
    """One of our programs that listens on a loopback port and accepts orders."""

    def __init__(self, module: str, *arguments: str, port: int = 0) -> None:
        """Start `python -m MODULE --port=… ARGUMENTS`, on a free port unless one is named."""
        self.port = port or free_port()
        self.process = launch(
            python("-m", module, f"--port={self.port}", *arguments), steered=True
        )
        wait_until(lambda: answers(self.port), seconds=60, what=module)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def order(self, **what: Any) -> None:
        """Give an order. Raises BrokenPipeError when the program is gone."""
        if not give_order(self.process, what):
            raise BrokenPipeError("the program is gone")

    def freeze(self) -> None:
        send(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        send(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL; what it has written stays."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def discard(self) -> None:
        self.kill()
