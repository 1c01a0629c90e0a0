"""Nursery: starts Moa's processes in a quarter of the time, so that a test can kill many.

It has imported the libraries but nothing of Moa. For each order on its standard input it forks;
the child takes the environment and the arguments of the order, installs the hooks that this
environment asks for, and runs as if it had been started that way. Exit codes are written to files.
"""

import json
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

import celery.apps.worker
import celery.bin.celery
import celery.concurrency.prefork
import celery.fixups.django
import celery.worker.consumer
import css_inline
import django.core.mail
import django.db.backends.postgresql.base
import django.db.models
import gunicorn.app.wsgiapp
import kombu.transport.pyamqp
import psycopg

PRELOADED = (celery, css_inline, django, gunicorn, kombu, psycopg)


def main(folder: Path) -> None:
    """Fork for every order until standard input ends."""
    signal.signal(signal.SIGCHLD, lambda *_: reap(folder))
    say("ready")
    while order := sys.stdin.readline():
        pid = os.fork()
        if not pid:
            become(json.loads(order))
        say(pid)


def say(word: object) -> None:
    """A line to the test."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def reap(folder: Path) -> None:
    """Note the exit codes of the children that have ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        written = folder / f"{pid}.ending"
        written.write_text(str(os.waitstatus_to_exitcode(status)))
        written.rename(folder / f"{pid}.ended")


def become(order: dict[str, Any]) -> None:
    """Be the process of the order; never returns."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        log = os.open(order["log"], os.O_WRONLY | os.O_APPEND)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.environ.clear()
        os.environ.update(order["environ"])
        run(order["arguments"])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run(arguments: list[str]) -> None:
    """What `python ARGUMENTS` would run, with the hooks in place."""
    from django import setup

    setup()
    from tests.crash import hooks

    hooks.install()
    sys.orig_argv = [sys.executable, *arguments]
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
