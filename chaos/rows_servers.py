"""Rows of the matrix: what happens to the SMTP server, the way to it, and PostgreSQL."""

import os
import signal
import time

from chaos.matrix_rows import caught, ends, row
from chaos.scene import Scene, expect
from tests.harness.sessions import send


@row("SMTP server gone for 15 s")
def smtp_gone(scene: Scene, shift: float) -> str:
    """The transport is held, no attempt is spent, all leave within 30 s of its return."""
    scene.stack.steer("proxy.smtp", do="refuse")
    scene.mails(2)
    last = scene.note()
    scene.mails(13, every=1)
    scene.stack.steer("proxy.smtp", do="clear")
    seconds = scene.rest(seconds=30)
    expect(last.seen, "sent, 1 copies, 0 uncertain, 1 attempts")
    return f"at rest after {seconds:.1f} s"


@row("SMTP server answers the dot after 25 s")
def slow_dot(scene: Scene, shift: float) -> str:
    """The worker waits and renews its lease: one copy, nothing uncertain."""
    mail = caught(scene, "dot", scene.note, delay=25)
    return ends(scene, mail, "sent, 1 copies, 0 uncertain, 1 attempts")


@row("way to the SMTP server cut after the dot", seeds=3)
def cut_after_dot(scene: Scene, shift: float) -> str:
    """Uncertain, sent once more: two copies."""
    mail = caught(scene, "dot", scene.payment, delay=5)
    time.sleep(shift)
    scene.stack.steer("proxy.smtp", do="reset")
    scene.stack.steer("proxy.smtp", do="clear")
    return ends(scene, mail, "sent, 2 copies, 1 uncertain, 2 attempts")


@row("way to the SMTP server half-open for 15 s")
def half_open(scene: Scene, shift: float) -> str:
    """Nothing was said of the mail: no attempt is spent, it leaves within 45 s of the return."""
    scene.stack.steer("proxy.smtp", do="half")
    mail = scene.note()
    time.sleep(15)
    scene.stack.steer("proxy.smtp", do="clear")
    seconds = scene.rest(seconds=45)
    expect(mail.seen, "sent, 1 copies, 0 uncertain, 1 attempts")
    return f"at rest after {seconds:.1f} s"


@row("way to the SMTP server slow: 100 octets a second")
def slow_way(scene: Scene, shift: float) -> str:
    """The worker waits and renews its lease: one copy, nothing uncertain."""
    scene.stack.steer("proxy.smtp", do="slow", rate=100)
    mail = scene.note()
    seconds = scene.wait(lambda: mail.state == "sent", "the mail")
    scene.stack.steer("proxy.smtp", do="clear")
    ends(scene, mail, "sent, 1 copies, 0 uncertain, 1 attempts")
    return f"sent after {seconds:.1f} s"


@row("PostgreSQL restarted (fast) under load", seeds=3)
def postgresql_restart(scene: Scene, shift: float) -> str:
    """Workers hold their results: nothing uncertain, nobody alive is rescued, one copy each."""
    return _database_down(scene, shift, signal.SIGINT)


@row("PostgreSQL crashed (immediate) under load", seeds=3)
def postgresql_crash(scene: Scene, shift: float) -> str:
    """As with the restart: every accepted mail is there, workers write again from memory."""
    return _database_down(scene, shift, signal.SIGQUIT)


@row("PostgreSQL frozen 12 s under load")
def postgresql_frozen(scene: Scene, shift: float) -> str:
    """Longer than a lease: nobody alive is rescued, nothing uncertain."""
    before, deaths = scene.copies(), scene.deaths()
    readers = scene.broadcast()
    scene.wait(lambda: sum((scene.copies() - before).values()) > 20, "twenty mails")
    pids = [scene.stack.units["postgresql"].pid or 0, *scene.stack.units["postgresql"].children()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(12 + shift)
    for pid in pids:
        send(pid, signal.SIGCONT)
    seconds = scene.rest()
    expect(sum((scene.copies() - before).values()), readers, what="copies")
    expect(scene.deaths(), deaths, what="rescued, uncertain")
    return f"at rest after {seconds:.1f} s"


def _database_down(scene: Scene, shift: float, how: signal.Signals) -> str:
    before, deaths = scene.copies(), scene.deaths()
    readers = scene.broadcast()
    scene.wait(lambda: sum((scene.copies() - before).values()) > 20, "twenty mails")
    time.sleep(shift)
    unit, at = scene.stack.units["postgresql"], time.time()
    send(unit.pid, how)
    back = scene.wait(lambda: unit.up_after(at), "PostgreSQL")
    seconds = scene.rest()
    expect(sum((scene.copies() - before).values()), readers, what="copies")
    expect(scene.deaths(), deaths, what="rescued, uncertain")
    return f"PostgreSQL back after {back:.1f} s, at rest {seconds:.1f} s later"
