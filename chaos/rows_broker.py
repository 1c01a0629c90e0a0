"""Rows of the matrix: what happens to RabbitMQ."""

import time

from chaos.matrix_rows import kill, row
from chaos.scene import Scene, expect
from chaos.troubles import freeze_pids
from tests.harness.ports import answers


@row("broker stopped")
def broker_stopped(scene: Scene, shift: float) -> str:
    """Requests are answered, none waits; all mail leaves after the start."""
    scene.stack.held_nodes.add(scene.stack.broker.port)
    kill(scene.stack.broker.pid)
    took = scene.mails(8)
    backlog = scene.waiting()
    scene.stack.held_nodes.clear()
    scene.wait(lambda: answers(scene.stack.broker.port), "the broker", seconds=120)
    seconds = scene.rest()
    expect(backlog > 0, True, what="a backlog grows")
    return f"slowest request {max(took):.2f} s, at rest {seconds:.1f} s after the start"


@row("broker frozen 20 s", seeds=3)
def broker_frozen(scene: Scene, shift: float) -> str:
    """Requests are answered; all mail leaves within 30 s of the thaw."""
    time.sleep(2 * shift)
    scene.stack.broker.freeze()
    took = scene.mails(20)
    scene.stack.broker.thaw()
    seconds = scene.rest(seconds=30)
    return f"slowest request {max(took):.2f} s, at rest after {seconds:.1f} s"


@row("broker in memory alarm 20 s")
def broker_alarm(scene: Scene, shift: float) -> str:
    """Requests are answered; all mail leaves within 30 s of the end of the alarm."""
    scene.stack.broker.alarm(on=True)
    took = scene.mails(20)
    scene.stack.broker.alarm(on=False)
    seconds = scene.rest(seconds=30)
    return f"slowest request {max(took):.2f} s, at rest after {seconds:.1f} s"


@row("broker's disk full")
def broker_disk_alarm(scene: Scene, shift: float) -> str:
    """As with the memory alarm."""
    scene.stack.broker.ctl("set_disk_free_limit", "10000GB")
    scene.mails(10)
    scene.stack.broker.ctl("set_disk_free_limit", "50MB")
    return f"at rest after {scene.rest(seconds=30):.1f} s"


@row("queues deleted with tasks in them")
def queues_deleted(scene: Scene, shift: float) -> str:
    """Tasks are published again within MAIL_REPUBLISH_AFTER (60 s) + 10 s; workers come back."""
    freeze_pids(scene.stack, "worker")
    scene.mails(3)
    scene.broadcast()
    time.sleep(2)
    for queue in ("mail.transactional", "mail.bulk"):
        scene.stack.broker.ctl("delete_queue", queue)
    freeze_pids(scene.stack, "worker", thaw=True)
    return f"at rest after {scene.rest(seconds=85):.1f} s"


@row("broker's data wiped")
def broker_wiped(scene: Scene, shift: float) -> str:
    """Queues are declared anew, tasks published again from the database, nothing lost."""
    scene.broadcast()
    scene.stack.broker_is_to_be_wiped = True
    kill(scene.stack.broker.pid)
    scene.mails(3)
    scene.wait(lambda: answers(scene.stack.broker.port), "the broker", seconds=120)
    return f"at rest {scene.rest(seconds=100):.1f} s after the start"
