"""Hooks: named points in Moa's processes where a test stops, kills or misleads one of them.

Production code contains nothing of this. A process from the nursery patches the functions below as
its environment asks:

    CRASH_AT      points to stop at, separated by spaces: `dot:user2@*` is the point `dot` of the
                  mail to that address, or of the Batch that has one
    CRASH_FOLDER  where it says that it has arrived, and waits for leave to go on
    CRASH_POISON  the address whose mail kills the process that takes it up
    CRASH_CLOCK   seconds by which the wall clock jumps when the first Batch is claimed
    CRASH_HANG    seconds after which a relay is taken for stuck; its publishes never return
    CRASH_PAGE    how many recipients a page of a broadcast has
    CRASH_BUG     a seeded bug, see bugs.py
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import wraps
from pathlib import Path
from typing import Any

POINTS = {
    "paying": "C1 the web process has written everything and not committed",
    "paid": "C2 it has committed and not answered",
    "binding": "C3 the relay has bound Deliveries and not committed",
    "bound": "C3 it has committed the Batch and not published it",
    "published": "C4 the broker has confirmed, the row does not say so yet",
    "noted": "C5 the row says so",
    "task": "C6 the worker has the task and has not claimed the Batch",
    "claimed": "C7 it has claimed",
    "body": "C7 most of the content has left",
    "marking": "C7 the mark of the dot is not written",
    "marked": "C8 the mark is written, the dot is not",
    "dot": "C8 the dot is written, no reply is read",
    "answered": "C9 the reply is read, nothing is recorded",
    "closing": "C9 the last reply is read, the 250s are not written",
    "settled": "C13 what was no 250 is recorded in its row",
    "closed": "C10 all is recorded, the task is not acknowledged",
}

_hand = threading.local()  # the mail that this thread is sending, and whether its content leaves


def arrive(point: str, addresses: Iterable[str] = ()) -> None:
    """Stop here if the test asked for it, until it kills or continues this process."""
    known = set(addresses) or {getattr(_hand, "recipient", "")}
    for asked in os.environ.get("CRASH_AT", "").split():
        name, _, pattern = asked.partition(":")
        if name != point:
            continue
        if not pattern or any(fnmatchcase(address, pattern) for address in known):
            folder = Path(os.environ["CRASH_FOLDER"])
            try:
                (folder / f"arrived {_file(asked)}").touch(exist_ok=False)
            except FileExistsError:  # one process stops there, once
                continue
            with (folder / f"leave {_file(asked)}").open():  # a FIFO: waits for a writer
                return


def _file(asked: str) -> str:
    return asked.replace("*", "_").replace("/", "_")


def before(point: str, function: Callable[..., Any], who: Any = lambda *_: ()) -> Any:
    @wraps(function)
    def hooked(*args: Any, **kwargs: Any) -> Any:
        arrive(point, who(*args))
        return function(*args, **kwargs)

    return hooked


def after(point: str, function: Callable[..., Any], who: Any = lambda *_: ()) -> Any:
    @wraps(function)
    def hooked(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        arrive(point, who(*args))
        return result

    return hooked


def install() -> None:
    """Wrap what the environment of this process asks for; let no rescue wait for its turn."""
    from mail.relay import loop

    loop.MAINTENANCE_EVERY = 0.2
    if os.environ.get("CRASH_AT"):
        _install_web()
        _install_relay()
        _install_claim()
        _install_dialogue()
    if poison := os.environ.get("CRASH_POISON"):
        _install_poison(poison)
    if seconds := os.environ.get("CRASH_CLOCK"):
        _install_clock(float(seconds))
    if seconds := os.environ.get("CRASH_HANG"):
        _install_hang(float(seconds))
    if page := os.environ.get("CRASH_PAGE"):
        from mail.worker import expansion

        expansion.PAGE = int(page)
    if bug := os.environ.get("CRASH_BUG"):
        from tests.crash import bugs

        bugs.BUGS[bug].install()


def _install_web() -> None:
    from payment import services

    services._complete = after("paying", services._complete)
    services.complete_payment = after("paid", services.complete_payment)


def _install_relay() -> None:
    from mail.relay import dispatch
    from mail.relay.publisher import Publisher

    dispatch._bind = after("binding", dispatch._bind)
    dispatch._publish = after("noted", before("bound", dispatch._publish))
    Publisher.publish = after("published", Publisher.publish)  # type: ignore[method-assign]


def _install_claim() -> None:
    from mail.models import Delivery
    from mail.worker import claims
    from mail.worker.batch_run import BatchRun
    from mail.worker.results import Results

    def in_batch(batch_id: int, *_: Any) -> list[str]:
        found = Delivery.objects.filter(batch=batch_id)
        return list(found.values_list("address", flat=True))

    def in_claim(results: Results, *_: Any) -> list[str]:
        return [delivery.address for delivery in results.claim.deliveries]

    claims.take = after("claimed", before("task", claims.take, in_batch), in_batch)
    BatchRun.prepare_end_of_data = before(  # type: ignore[method-assign]
        "marking", BatchRun.prepare_end_of_data
    )
    BatchRun.before_end_of_data = after(  # type: ignore[method-assign]
        "marked", BatchRun.before_end_of_data
    )
    closing = before("closing", Results.close, in_claim)
    Results.close = after("closed", closing, in_claim)  # type: ignore[method-assign]
    Results.settle = after("settled", Results.settle)  # type: ignore[method-assign]


def _install_dialogue() -> None:
    from mail.transport import smtp
    from mail.transport.smtp import SmtpConnection
    from mail.transport.wire import Wire

    transact, write = SmtpConnection._transact, SmtpConnection._write_content
    read_reply, send = Wire.read_reply, Wire.send

    def hooked_transact(self: Any, envelope: Any, *rest: Any) -> Any:
        _hand.recipient = envelope.recipient
        return transact(self, envelope, *rest)

    def hooked_write(self: Any, *given: Any) -> Any:
        _hand.in_content = True
        following = write(self, *given)
        _hand.is_written = True
        return following

    def hooked_send(self: Wire, data: bytes, *, patience: float) -> None:
        send(self, data, patience=patience)
        if getattr(_hand, "in_content", False):
            _hand.in_content = False
            arrive("body")

    def hooked_read_reply(self: Wire, *, patience: float) -> Any:
        is_written, _hand.is_written = getattr(_hand, "is_written", False), False
        if is_written:
            arrive("dot")
        reply = read_reply(self, patience=patience)
        if is_written:
            arrive("answered")
        return reply

    smtp.CHUNK = 8  # so that the content of a small mail, too, leaves in two writes
    SmtpConnection._transact = hooked_transact  # type: ignore[method-assign]
    SmtpConnection._write_content = hooked_write  # type: ignore[method-assign]
    Wire.read_reply = hooked_read_reply  # type: ignore[method-assign]
    Wire.send = hooked_send  # type: ignore[method-assign]


def _install_poison(pattern: str) -> None:
    from mail.transport.smtp import SmtpConnection

    transact = SmtpConnection._transact

    def deadly(self: Any, envelope: Any, *rest: Any) -> Any:
        if fnmatchcase(envelope.recipient, pattern):
            os.kill(os.getpid(), signal.SIGKILL)
        return transact(self, envelope, *rest)

    SmtpConnection._transact = deadly  # type: ignore[method-assign]


def _install_hang(seconds: float) -> None:
    """Let a publish wait for ever, in C, as one may that asks a name server."""
    from mail.relay import watchdog
    from mail.relay.publisher import Publisher

    pair = socket.socketpair()  # whose other end says nothing and stays open
    Publisher._publish = lambda *_: pair[0].recv(1)  # type: ignore[method-assign]
    watchdog.STUCK_AFTER, watchdog.LAST = seconds, 2


def _install_clock(seconds: float) -> None:
    """Make the wall clock of this process jump once it has claimed a Batch."""
    from django.utils import timezone

    from mail.worker import claims

    wall, now, take = time.time, timezone.now, claims.take

    def jump(*args: Any, **own: Any) -> Any:
        claim = take(*args, **own)
        time.time = lambda: wall() + seconds
        timezone.now = lambda: now() + timedelta(seconds=seconds)
        return claim

    claims.take = jump
