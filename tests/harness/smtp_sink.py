"""The scripted SMTP server as a process: `python -m tests.harness.smtp_sink --port N --log FILE`.

Every mail it accepts is a line in its log before the client reads 250, one for each recipient: the
time, the Message-ID, the recipient, the pid of the server and the number of the connection, as
JSON. So the log survives the server's death. Lines of JSON on standard input control it:
{"do": "on", "phase": "rcpt", "reply": "550 5.1.1 no", "times": 3}, {"do": "clear"}. With "tells" a
rule prints "reached" once a dialogue has come to it.
"""

import argparse
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.harness.smtp import SmtpServer, message_id
from tests.harness.smtp_rule import Rule


class Sink(SmtpServer):
    """Accepts and logs mails; each takes `pace` seconds on its connection."""

    def __init__(self, *, port: int, log: Path, pace: float = 0) -> None:
        super().__init__(port=port)
        self.log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.pid, self.pace = os.getpid(), pace
        self.slow_down()

    def slow_down(self) -> None:
        """Be as slow as a real server: half before the content, half after the end of data."""
        if self.pace:
            self.on("data", delay=self.pace / 2)
            self.on("dot", delay=self.pace / 2)

    def take(self, *, sender: str, recipients: list[str], raw: bytes, connection: int) -> None:
        head = f"[{time.time()}, {json.dumps(message_id(raw))}, "
        lines = [
            f"{head}{json.dumps(recipient)}, {self.pid}, {connection}]\n"
            for recipient in recipients
        ]
        os.write(self.log, "".join(lines).encode())

    def obey(self, order: dict[str, Any]) -> None:
        """Carry out one order; a rule that is added comes before the usual pace."""
        match order.pop("do"):
            case "on":
                tells = order.pop("tells", False)
                rule = self.on(**order)
                self.rules = [rule, *self.rules[:-1]]
                if tells:
                    threading.Thread(target=tell, args=[rule], daemon=True).start()
            case "clear":
                self.clear_rules()
                self.slow_down()


def tell(rule: Rule) -> None:
    """Print that a dialogue came to the rule."""
    rule.reached.wait()
    sys.stdout.write("reached\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--pace", type=float, default=0, help="Seconds for each mail.")
    asked = parser.parse_args()
    sink = Sink(port=asked.port, log=asked.log, pace=asked.pace)
    sink.start()
    for line in sys.stdin:
        sink.obey(json.loads(line))


if __name__ == "__main__":
    main()
