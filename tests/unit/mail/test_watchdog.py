"""The watchdog of a relay: it neither hangs nor fails unnoticed."""

import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from mail.relay import watchdog
from mail.relay.publisher import BrokerUnavailable, Publisher

AT_WORST = watchdog.LOOK_EVERY + watchdog.LAST


def relay(run: Callable[[threading.Event], None], *, busy: float = 0) -> Any:
    return SimpleNamespace(run=run, publisher=SimpleNamespace(busy_for=lambda: busy))


def test_it_ends_within_ten_seconds_of_sigterm():
    assert AT_WORST < 10


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(watchdog, "LAST", 0.05)


def test_a_relay_works_until_it_is_told_to_end():
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()

    watchdog.run(relay(lambda told: told.wait() and None), stop)

    assert stop.is_set()


def test_what_a_relay_raises_is_raised():
    def fail(_: threading.Event) -> None:
        raise LookupError("a fault of ours")

    with pytest.raises(LookupError, match="a fault of ours"):
        watchdog.run(relay(fail), threading.Event())


def test_one_that_is_stuck_restarts_with_the_same_command_line(
    monkeypatch: pytest.MonkeyPatch,
):
    began: list[Any] = []
    over = threading.Event()

    def begin(*command: Any) -> None:
        began.append(command)
        over.set()

    monkeypatch.setattr(watchdog.os, "execv", begin)
    monkeypatch.setattr(watchdog.sys, "orig_argv", ["python", "-W", "error", "manage.py", "relay"])

    watchdog.run(
        relay(lambda _: over.wait() and None, busy=watchdog.STUCK_AFTER + 1), threading.Event()
    )

    again = [sys.executable, "-W", "error", "manage.py", "relay"]
    assert began[0] == (sys.executable, again)


def test_one_that_is_not_stuck_for_long_continues(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watchdog.os, "execv", lambda *_: pytest.fail("it began anew"))
    slow = threading.Event()
    threading.Timer(0.1, slow.set).start()

    watchdog.run(relay(lambda _: slow.wait() and None, busy=watchdog.STUCK_AFTER - 1), slow)


def test_one_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch):
    codes: list[int] = []
    over, stop = threading.Event(), threading.Event()
    monkeypatch.setattr(watchdog.os, "_exit", codes.append)
    stop.set()

    watchdog.run(relay(lambda _: over.wait() and None), stop)
    over.set()

    assert codes == [1]


def test_a_publisher_says_how_long_a_call_has_taken(monkeypatch: pytest.MonkeyPatch):
    publisher, during = Publisher(), []
    monkeypatch.setattr(publisher, "_connect", lambda: during.append(publisher.busy_for()))
    monkeypatch.setattr(publisher, "_size", lambda _: 1 / 0)

    with pytest.raises(BrokerUnavailable):
        publisher.ready("mail.bulk")

    assert during[0] > 0
    assert publisher.busy_for() == 0
