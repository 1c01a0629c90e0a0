import io
import os
import signal
import sys
import threading
import time

import pytest

from demo.supervisor import ChildDied, NotReady, Program, Stopped, Supervisor
from tests.harness.ports import PATIENCE

SLEEPS = "import time; print('awake', flush=True); time.sleep(60)"
LEAVES_LAST_LINES = "print('one'); print('two'); raise SystemExit(7)"
IGNORES_TERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('awake', flush=True); time.sleep(60)"
)
NOTES_TERM = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit('%s ended'));"
    "print('awake', flush=True); time.sleep(60)"
)
# A main process with a child of its own that says when it is told SIGTERM, as a worker pool has.
HAS_POOL = """
import os, signal, sys, time
if os.fork():
    signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit(0)))
    print('awake', flush=True)
else:
    signal.signal(signal.SIGTERM, lambda *_: print('the pool was told', flush=True))
time.sleep(60)
"""


def program(code: str, name: str = "child", **options) -> Program:
    return Program(name=name, command=[sys.executable, "-c", code], **options)


@pytest.fixture
def supervise():
    """A started Supervisor of the given programs and its output; all is ended afterwards."""
    handlers = {number: signal.getsignal(number) for number in (1, 2, 15)}
    started = []

    def start(*programs: Program) -> tuple[Supervisor, io.StringIO]:
        output = io.StringIO()
        supervisor = Supervisor(programs, output=output)
        started.append(supervisor)
        supervisor.start()
        return supervisor, output

    yield start
    for supervisor in started:
        supervisor.stop(seconds=0)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_it_waits_until_a_child_has_said_that_it_is_ready(supervise):
    supervisor, output = supervise(program(SLEEPS, name="web", says="awake"))

    supervisor.wait_until_ready(seconds=PATIENCE)

    assert output.getvalue() == "web | awake\n"


def test_it_waits_until_a_child_answers(supervise):
    answers = iter([False, False, True])
    supervisor, _ = supervise(program(SLEEPS, answers=lambda: next(answers)))

    supervisor.wait_until_ready(seconds=PATIENCE)

    assert next(answers, None) is None


def test_it_names_the_child_that_is_not_ready_in_time(supervise):
    supervisor, _ = supervise(program(SLEEPS, name="worker", says="never said"))

    with pytest.raises(NotReady, match="worker"):
        supervisor.wait_until_ready(seconds=0.3)


def test_a_dead_child_ends_all_with_its_last_lines(supervise):
    supervisor, _ = supervise(program(SLEEPS), program(LEAVES_LAST_LINES, name="relay"))

    with pytest.raises(ChildDied) as died:
        supervisor.watch()
    supervisor.stop()

    assert str(died.value) == "relay ended with exit code 7:\none\ntwo"
    assert not any(child.is_alive for child in supervisor.children)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all(supervise, number):
    supervisor, _ = supervise(program(SLEEPS, says="awake"), program(SLEEPS, says="awake"))
    supervisor.wait_until_ready(seconds=PATIENCE)

    threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
    with pytest.raises(Stopped):
        supervisor.watch()
    supervisor.stop()

    assert [child.process.returncode for child in supervisor.children] == [-15, -15]


def test_only_the_main_process_of_a_child_is_told_to_end(supervise):
    supervisor, output = supervise(program(HAS_POOL, says="awake"))
    supervisor.wait_until_ready(seconds=PATIENCE)

    supervisor.stop()

    assert "the pool was told" not in output.getvalue()
    assert supervisor.children[0].process.returncode == 0


def test_a_child_that_will_not_end_is_killed_at_the_limit(supervise):
    supervisor, _ = supervise(program(IGNORES_TERM, says="awake"))
    supervisor.wait_until_ready(seconds=PATIENCE)
    began = time.monotonic()

    supervisor.stop(seconds=0.5)

    assert supervisor.children[0].process.returncode == -9
    assert time.monotonic() - began < 30  # of the 60 seconds that the child would last


def test_what_the_others_need_ends_last(supervise):
    catcher = program(NOTES_TERM % "catcher", "catcher", says="awake", outlives=True)
    worker = program(NOTES_TERM % "worker", "worker", says="awake")
    supervisor, output = supervise(catcher, worker)
    supervisor.wait_until_ready(seconds=PATIENCE)

    supervisor.stop()

    ended = [line for line in output.getvalue().splitlines() if line.endswith("ended")]
    assert ended == ["worker  | worker ended", "catcher | catcher ended"]
