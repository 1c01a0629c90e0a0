"""Rows of the matrix: what happens to web and relay."""

import http.client
import time

from chaos.load import Refused
from chaos.matrix_rows import ends, kill, row
from chaos.scene import Scene, expect
from chaos.troubles import freeze_pids
from chaos.unit import Unit

TAKEOVER = 10  # seconds
AWAY = (OSError, http.client.HTTPException, Refused)


@row("relay that leads killed", seeds=3)
def relay_killed(scene: Scene, shift: float) -> str:
    """The other relay leads within 10 s, and mail leaves."""
    time.sleep(shift)
    kill(_leader(scene).pid or 0)
    return _taken_over(scene)


@row("relay that leads frozen", seeds=3)
def relay_frozen(scene: Scene, shift: float) -> str:
    """The other leads within 10 s; thawed, the first does no harm: one copy."""
    time.sleep(shift)
    frozen = _leader(scene)
    freeze_pids(scene.stack, frozen.name)
    try:
        seen = _taken_over(scene)
    finally:
        freeze_pids(scene.stack, frozen.name, thaw=True)
    mail = scene.note()
    ends(scene, mail, "sent, 1 copies, 0 uncertain, 1 attempts")
    return seen


@row("web server killed with its workers", seeds=3)
def web_killed(scene: Scene, shift: float) -> str:
    """What was answered is sent; requests are answered again once it is started."""
    mails = [scene.note() for _ in range(5)]
    time.sleep(shift)
    (web,) = scene.stack.named("web")
    for pid in [web.pid or 0, *web.children()]:
        kill(pid)
    seconds = scene.wait(lambda: _is_answered(scene), "an answer")
    scene.rest()
    expect({mail.seen for mail in mails}, {"sent, 1 copies, 0 uncertain, 1 attempts"})
    return f"answers again after {seconds:.1f} s"


def _taken_over(scene: Scene) -> str:
    began = time.monotonic()
    mail = scene.note()
    scene.wait(lambda: mail.state == "sent", "another relay", seconds=TAKEOVER + 2)
    seconds = time.monotonic() - began
    ends(scene, mail, "sent, 1 copies, 0 uncertain, 1 attempts")
    return f"a mail left after {seconds:.1f} s"


def _leader(scene: Scene) -> Unit:
    """The relay whose lease runs."""

    def found() -> Unit | None:
        with scene.stack.database() as database:
            asked = "SELECT holder FROM mail_relaylease WHERE lease_until > now()"
            holder = (database.execute(asked).fetchone() or [":0"])[0]
        pid = int(holder.split(":")[1])
        return next((unit for unit in scene.stack.named("relay") if unit.pid == pid), None)

    scene.wait(found, "a relay that leads")
    leader = found()
    expect(leader is not None, True, what="a relay leads")
    assert leader is not None  # noqa: S101
    return leader


def _is_answered(scene: Scene) -> bool:
    """Ask for a note; what is not answered stays among what was asked, and counts for nothing."""
    try:
        scene.note()
    except AWAY:
        return False
    return True
