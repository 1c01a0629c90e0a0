"""The row of the matrix in which PostgreSQL's disk is full, on a stack of its own."""

import time
from collections import Counter
from contextlib import suppress

import psycopg

from chaos.disk import CannotMount, SmallDisk
from chaos.load import Refused
from chaos.matrix_rows import row
from chaos.scene import Failed, NotRun, Scene, expect
from chaos.stack import Stack

FULL = 20  # seconds: more than the two leases after which a dead worker's Batch is rescued
DOWN = 8  # seconds
LOG = "SELECT pg_logical_emit_message(false, 'chaos', repeat('x', 1000000))"
SENT = "SELECT count(*) FROM mail_delivery WHERE state = 'sent'"
TORN = "SELECT count(*) FROM payment_payment WHERE (state = 'paid') <> (receipt_id IS NOT NULL)"


@row("PostgreSQL's disk full")
def postgresql_disk_full(scene: Scene, shift: float) -> str:
    """Requests that need space get 503 and leave nothing half recorded, first of a server that
    cannot extend its tables, then of one that cannot write its log, dies and cannot start. Workers
    hold their results: nobody alive is rescued, nothing uncertain. When there is space again, all
    leaves by itself, one copy each."""
    stack = Stack(inside=scene.stack.folder)
    try:
        with SmallDisk(stack.postgresql.data, owner=stack.postgresql.user) as disk:
            try:
                return _fill_and_free(Scene(stack.start(), seed=scene.seed), disk)
            finally:
                stack.stop()
    except CannotMount as trouble:
        raise NotRun(f"no tmpfs for PostgreSQL, which takes root: {trouble}") from None


def _fill_and_free(scene: Scene, disk: SmallDisk) -> str:
    scene.warm_up()
    before, deaths = scene.copies(), scene.deaths()
    scene.broadcast()
    scene.wait(lambda: sum((scene.copies() - before).values()) > 20, "twenty mails")
    disk.fill()
    by_tables = _refused(scene, disk, FULL)
    held = sum(scene.copies().values()) - _sent(scene)
    expect(held > 0, True, what="workers hold results")
    _use_up_log(scene, disk)
    by_log = _refused(scene, disk, DOWN)
    expect(bool(by_tables and by_log), True, what="requests are refused")
    suffered = _suffered(scene)
    disk.free()
    seconds = scene.rest()
    expect(scene.deaths(), deaths, what="rescued, uncertain")
    _repeat(scene)
    scene.rest()
    _judge(scene)
    return (
        f"{by_tables} + {by_log} requests got 503, {held} results held, {suffered}; "
        f"at rest after {seconds:.1f} s"
    )


def _refused(scene: Scene, disk: SmallDisk, seconds: float) -> int:
    """Ask for mails while the disk is kept full; how many requests were refused, clearly."""
    answers: Counter[int] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        disk.fill()
        is_payment = scene.count % 2
        try:
            scene.payment() if is_payment else scene.note()
        except Refused as refusal:
            answers[refusal.status] += 1
            if is_payment:  # which an API answers, the other a page
                expect('"database_unavailable"' in refusal.body, True, what=refusal.body)
        time.sleep(0.1)
    expect(set(answers) - {503}, set(), what="answers that are no 503")
    return answers[503]


def _use_up_log(scene: Scene, disk: SmallDisk) -> None:
    """Write to the log of PostgreSQL until there is no room for it."""

    def is_used_up() -> bool:
        disk.fill()
        with suppress(psycopg.OperationalError), scene.stack.database() as database:
            database.execute(LOG)
        return "PANIC" in _log(scene)

    scene.wait(is_used_up, "the end of the log")


def _suffered(scene: Scene) -> str:
    """What PostgreSQL said of its disk. Raises Failed if it did not suffer in both ways."""
    log = _log(scene).splitlines()
    full = [line for line in log if "No space left on device" in line]
    errors, panics = (sum(word in line for line in full) for word in ("ERROR", "PANIC"))
    if not errors or not panics:
        raise Failed(f"PostgreSQL had {errors} errors and {panics} panics for want of space")
    starts = len(scene.stack.units["postgresql"].trouble)
    return f"PostgreSQL: {errors} errors, {panics} panics, {starts} starts that failed"


def _sent(scene: Scene) -> int:
    with scene.stack.database() as database:
        return int((database.execute(SENT).fetchone() or [0])[0])


def _repeat(scene: Scene) -> None:
    """Every other client whose request was refused asks once more, with the same number or key."""
    for operation in [one for one in scene.operations if not one.acknowledged][::2]:
        scene.repeat(operation)


def _judge(scene: Scene) -> None:
    with scene.stack.database() as database:
        expect((database.execute(TORN).fetchone() or ())[0], 0, what="paid without receipt")
    ledger = scene.judge()
    expect((ledger.violations, ledger.duplicated), ([], 0), what="violations, second copies")


def _log(scene: Scene) -> str:
    return scene.stack.postgresql.log.read_text(errors="replace")
