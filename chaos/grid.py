"""The SMTP grid: every command of the dialogue and what a server may do there, with the outcome.

Each cell sends one mail of a kind that holds; the server misbehaves once. A cell has two ends:
how the mail stands at once, and how after the minutes that a deferral waits.
"""

from dataclasses import dataclass
from typing import Any

from chaos.scene import Scene, expect

SENT = "sent, 1 copies, 0 uncertain, 1 attempts"
LATER = "queued for later, 0 copies, 0 uncertain, 1 attempts"
REFUSED = "failed, 0 copies, 0 uncertain, 1 attempts"
UNSPENT = "queued for later, 0 copies, 0 uncertain, 0 attempts"
AGAIN = "sent, 1 copies, 0 uncertain, 2 attempts"
TAKEN = "uncertain, 1 copies, 1 uncertain, 1 attempts"
NOT_TAKEN = "uncertain, 0 copies, 1 uncertain, 1 attempts"


@dataclass(frozen=True)
class Cell:
    what: dict[str, Any]
    first: str
    """How the mail stands once the server has misbehaved; SENT where only the transport waited."""
    last: str

    @property
    def name(self) -> str:
        return "SMTP " + " ".join(f"{name} {value}" for name, value in self.what.items())


def _cells() -> list[Cell]:
    made = []
    for phase in ("mail", "rcpt", "data", "dot"):
        made.append(Cell({"phase": phase, "reply": "451 4.3.0 later"}, LATER, AGAIN))
        made.append(Cell({"phase": phase, "reply": "550 5.1.1 no"}, REFUSED, REFUSED))
    for phase in ("connect", "ehlo"):
        made.append(Cell({"phase": phase, "reply": "451 4.3.0 later"}, SENT, SENT))
        made.append(Cell({"phase": phase, "reply": "554 5.3.2 no"}, SENT, SENT))
    for phase in ("connect", "ehlo", "mail"):
        made.append(Cell({"phase": phase, "reply": "421 4.3.2 bye"}, SENT, SENT))
        made.append(Cell({"phase": phase, "drop": True}, SENT, SENT))
        made.append(Cell({"phase": phase, "reply": "what?"}, SENT, SENT))
    for phase in ("rcpt", "data"):
        made.append(Cell({"phase": phase, "reply": "421 4.3.2 bye"}, UNSPENT, SENT))
        made.append(Cell({"phase": phase, "drop": True}, LATER, AGAIN))
        made.append(Cell({"phase": phase, "reply": "what?"}, LATER, AGAIN))
    made.append(Cell({"phase": "dot", "reply": "421 4.3.2 bye"}, UNSPENT, SENT))
    made.append(Cell({"phase": "dot", "drop": True, "takes": True}, TAKEN, TAKEN))
    made.append(Cell({"phase": "dot", "drop": True, "takes": False}, NOT_TAKEN, NOT_TAKEN))
    made.append(Cell({"phase": "dot", "reply": "what?"}, TAKEN, TAKEN))
    for phase in ("connect", "ehlo", "mail", "rcpt", "data", "dot"):
        made.append(Cell({"phase": phase, "delay": 12}, SENT, SENT))
    made.append(Cell({"phase": "quit", "drop": True}, SENT, SENT))
    made.append(Cell({"phase": "quit", "reply": "500 what"}, SENT, SENT))
    return made


CELLS = _cells()


def try_cell(scene: Scene, cell: Cell) -> str:
    """Send one mail through a server that misbehaves once. Raises Failed."""
    scene.stack.steer("proxy.smtp", do="cut")
    scene.stack.steer("proxy.smtp", do="clear")
    scene.stack.steer("smtp", do="clear")
    scene.stack.steer("smtp", do="on", times=1, **cell.what)
    mail = scene.note()
    if cell.first != SENT:
        scene.wait(lambda: mail.seen == cell.first, f"{cell.first!r}", seconds=20)
        scene.free_transport()
        scene.make_due()
    seconds = scene.wait(lambda: _let_go(scene, mail.seen == cell.last), cell.last, seconds=60)
    expect(mail.seen, cell.last)
    return f"{cell.first} → {cell.last} after {seconds:.1f} s" if cell.first != SENT else cell.last


def _let_go(scene: Scene, settled: bool) -> bool:
    """Spare the minutes that a throttling server is left alone."""
    if not settled:
        with scene.stack.database() as database:
            database.execute(
                "UPDATE mail_transport SET held_until = NULL"
                " WHERE held_until > now() + interval '6 s'"
            )
    return settled
