"""`cluster`: three RabbitMQ nodes, quorum queues, and several BROKER_URLs."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from functools import partial
from typing import Any

from chaos import matrix
from chaos.matrix_rows import Row
from chaos.run import say
from chaos.scene import Scene, expect
from chaos.stack import Stack
from tests.harness.ports import answers
from tests.harness.rabbitmq import RabbitMQ
from tests.harness.sessions import send

QUEUE = "mail.transactional"


def leader_killed(scene: Scene, shift: float) -> str:
    """Requests are answered; mails asked for while the leader is down leave within 30 s."""
    time.sleep(shift)
    node = _leader(scene)
    with _Held(scene, [node]):
        send(node.pid, signal.SIGKILL)
        took = scene.mails(5)
        seconds = scene.rest(seconds=40)
    _whole_again(scene)
    return f"slowest request {max(took):.2f} s, at rest after {seconds:.1f} s without the node"


def node_frozen(scene: Scene, shift: float) -> str:
    """Requests are answered; mails leave within 60 s although the node still stands frozen."""
    time.sleep(shift)
    node = _leader(scene)
    node.freeze()
    try:
        took = scene.mails(5)
        seconds = scene.rest(seconds=60)
    finally:
        node.thaw()
    _whole_again(scene)
    return f"slowest request {max(took):.2f} s, at rest after {seconds:.1f} s of the freeze"


def majority_lost(scene: Scene, shift: float) -> str:
    """Requests are answered and mails wait; all leave within 60 s of a majority's return."""
    time.sleep(shift)
    lost = scene.stack.nodes[:2]
    with _Held(scene, lost):
        for node in lost:
            send(node.pid, signal.SIGKILL)
        took = scene.mails(10)
        backlog = scene.waiting()
    for node in lost:
        scene.wait(partial(answers, node.port), node.node, seconds=120)
    seconds = scene.rest(seconds=60)
    _whole_again(scene)
    expect(backlog > 0, True, what="mails wait")
    return f"slowest request {max(took):.2f} s, at rest {seconds:.1f} s after the return"


ROWS = [
    Row("leader of the queue killed", leader_killed, 3),
    Row("node frozen", node_frozen, 3),
    Row("majority lost and regained", majority_lost, 1),
]


def carry_out(*, seed: int, seeds: int = 3) -> tuple[dict[str, Any], Stack]:
    """Run the rows on three nodes; return the result and the stack."""
    return matrix.carry_out(seed=seed, seeds=seeds, rows=ROWS, grid=False, stack=Stack(nodes=3))


class _Held:
    """Keep the supervisor from restarting some nodes."""

    def __init__(self, scene: Scene, nodes: list[RabbitMQ]) -> None:
        self.held, self.nodes = scene.stack.held_nodes, nodes

    def __enter__(self) -> None:
        self.held.update(node.port for node in self.nodes)

    def __exit__(self, *_: object) -> None:
        self.held.difference_update(node.port for node in self.nodes)


def _leader(scene: Scene) -> RabbitMQ:
    """The leader node of the queue for receipts."""
    name = _of_queue(scene, "leader")
    return next(node for node in scene.stack.nodes if node.node == name)


def _whole_again(scene: Scene) -> None:
    """Wait until every node runs and holds its copy of the queue."""
    nodes = scene.stack.nodes
    for node in nodes:
        scene.wait(partial(answers, node.port), node.node, seconds=120)
    scene.wait(lambda: _of_queue(scene, "online").count("@") == len(nodes), "all", seconds=120)
    say(f"     {len(nodes)} nodes hold the queue again, load {os.getloadavg()[0]:.1f}")


def _of_queue(scene: Scene, column: str) -> str:
    """The cluster's status of the queue for receipts; empty while it is unknown."""
    for node in scene.stack.nodes:
        with suppress(subprocess.CalledProcessError):
            shown = node.ctl("list_queues", "name", column)
            columns = dict(line.split("\t") for line in shown.splitlines() if "\t" in line)
            if QUEUE in columns:
                return columns[QUEUE]
    return ""
