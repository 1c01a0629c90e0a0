"""`bin/up` with real processes, on SQLite and a folder as the broker."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from demo.processes import LOOPBACK, manage
from tests.harness.ports import answers, free_port, wait_until
from tests.harness.sessions import is_alive


def up(folder: Path, *options: str) -> subprocess.Popen:
    """Start `manage.py up`, its data in a folder."""
    unwanted = {"DATABASE_URL", "BROKER_URL", "EMAIL_URL"}
    environ = {name: value for name, value in os.environ.items() if name not in unwanted}
    return subprocess.Popen(
        manage("up", *options),
        cwd=settings.BASE_DIR,
        env={**environ, "DEBUG": "true", "MOA_VAR": str(folder), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def children(parent: int) -> dict[int, str]:
    """The processes that a process started, with their command lines."""
    listing = subprocess.check_output(["ps", "-axo", "pid=,ppid=,args="], text=True)
    rows = [line.split(None, 2) for line in listing.splitlines()]
    return {int(pid): args for pid, ppid, args in rows if int(ppid) == parent}


@pytest.fixture
def started(tmp_path):
    """A `manage.py up` that is ready, with its two ports; ended afterwards."""
    ports = free_port(), free_port()
    process = up(tmp_path, f"--port={ports[0]}", f"--smtp-port={ports[1]}", "--no-seed")
    with process:
        said = ""
        while "Moa is up" not in said:
            line = process.stdout.readline()
            assert line, f"it ended without being up:\n{said}"
            said += line
        yield process, ports
        process.terminate()
        process.stdout.read()


@pytest.mark.parametrize(
    ("option", "other"), [("--port", "--smtp-port"), ("--smtp-port", "--port")]
)
def test_a_taken_port_is_explained(tmp_path, option, other):
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with up(tmp_path, f"{option}={port}", f"{other}={free_port()}") as process:
            said = process.stdout.read()

    assert process.returncode == 1
    assert f"Port {port} cannot be used" in said
    assert option in said
    assert "Traceback" not in said


def test_a_dead_child_ends_all_with_its_last_lines(started):
    process, ports = started
    pids = children(process.pid)
    relay = next(pid for pid, args in pids.items() if args.endswith("manage.py relay"))

    os.kill(relay, signal.SIGKILL)
    said = process.stdout.read()

    assert process.wait() == 1
    assert "relay ended with exit code -9:" in said
    assert said.rstrip().endswith("Everything has been stopped.")
    assert len(pids) == 4
    wait_until(lambda: not any(is_alive(pid) for pid in pids), what="the end of the children")
    assert not any(answers(port) for port in ports)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of it")
def test_children_end_when_their_supervisor_is_killed(started):
    process, ports = started
    pids = children(process.pid)

    process.kill()

    wait_until(lambda: not any(is_alive(pid) for pid in pids), what="the end of the children")
    assert not any(answers(port) for port in ports)
