"""Rows of the matrix: what happens to workers."""

import signal
import time

from chaos.matrix_rows import caught, ends, kill, row
from chaos.scene import Scene, expect
from chaos.troubles import freeze_pids
from tests.harness.sessions import members, send

LEASE = 8  # seconds, of production
PATIENT = 2 * LEASE + 6  # until a dead worker's Batch is settled


@row("worker killed while the server reads the content", seeds=3)
def killed_in_content(scene: Scene, shift: float) -> str:
    """Certainly not sent: nothing uncertain, one copy."""
    mail = caught(scene, "data", scene.payment)
    time.sleep(shift)
    _kill_workers(scene)
    return ends(scene, mail, "sent, 1 copies, 0 uncertain, 1 attempts")


@row("worker killed after the dot, kind resend", seeds=3)
def killed_after_dot(scene: Scene, shift: float) -> str:
    """Exactly one uncertain mail, sent once more with the same Message-ID: two copies."""
    mail = caught(scene, "dot", scene.payment)
    time.sleep(shift)
    _kill_workers(scene)
    return ends(scene, mail, "sent, 2 copies, 1 uncertain, 2 attempts")


@row("worker killed after the dot, kind hold", seeds=3)
def killed_after_dot_hold(scene: Scene, shift: float) -> str:
    """Exactly one uncertain mail, held for a person: one copy."""
    mail = caught(scene, "dot", scene.note)
    time.sleep(shift)
    _kill_workers(scene)
    return ends(scene, mail, "uncertain, 1 copies, 1 uncertain, 1 attempts")


@row("worker paused past its lease before the dot", seeds=3)
def paused_before_dot(scene: Scene, shift: float) -> str:
    """Another worker sends its mail; thawed, it writes no dot: one copy."""
    mail = caught(scene, "data", scene.note, delay=3)
    time.sleep(shift)
    name = _owner(scene)
    freeze_pids(scene.stack, name)
    scene.wait(lambda: mail.state == "sent", "another worker", seconds=PATIENT + 10)
    freeze_pids(scene.stack, name, thaw=True)
    time.sleep(4)
    return ends(scene, mail, "sent, 1 copies, 0 uncertain, 1 attempts")


@row("worker paused past its lease after the dot", seeds=3)
def paused_after_dot(scene: Scene, shift: float) -> str:
    """Uncertain, sent once more, two copies; the late 250 of the first is on record."""
    mail = caught(scene, "dot", scene.payment, delay=3)
    time.sleep(shift)
    name = _owner(scene)
    freeze_pids(scene.stack, name)
    scene.wait(lambda: mail.state == "sent", "another worker", seconds=PATIENT + 15)
    freeze_pids(scene.stack, name, thaw=True)
    time.sleep(4)
    seen = mail.seen
    expect(seen.startswith("sent, 2 copies, 1 uncertain"), True, what=seen)
    scene.rest()
    return seen


@row("SIGTERM in the middle of a Batch", seeds=3)
def sigterm(scene: Scene, shift: float) -> str:
    """Both workers end within 10 s, nothing is uncertain, each recipient has one copy."""
    before, deaths = scene.copies(), scene.deaths()
    readers = scene.broadcast()
    scene.wait(lambda: sum((scene.copies() - before).values()) > 20, "twenty mails")
    time.sleep(shift)
    workers = scene.stack.named("worker")
    pids = [unit.pid for unit in workers]
    began = time.monotonic()
    for pid in pids:
        send(pid, signal.SIGTERM)
    scene.wait(lambda: all(u.pid != pid for u, pid in zip(workers, pids, strict=True)), "the end")
    took = time.monotonic() - began
    scene.rest()
    expect(took <= 10, True, what=f"ended in {took:.1f} s")
    expect(sum((scene.copies() - before).values()), readers, what="copies")
    expect(scene.deaths(), deaths, what="rescued, uncertain")
    return f"ended in {took:.1f} s"


def _owner(scene: Scene) -> str:
    """The unit whose child holds the open Batch."""
    with scene.stack.database() as database:
        found = database.execute("SELECT worker FROM mail_batch WHERE closed_at IS NULL")
        pid = int((found.fetchone() or [":0"])[0].split(":")[1])
    for unit in scene.stack.named("worker"):
        if pid in members(unit.pid or 0):
            return unit.name
    return "worker"


def _kill_workers(scene: Scene) -> None:
    for unit in scene.stack.named("worker"):
        for pid in members(unit.pid or 0):
            kill(pid)
