"""`manage.py up`: all of Moa on this machine, for trying and developing; `bin/up` calls it."""

import shutil
import socket
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from demo import processes
from demo.story.check import check
from demo.supervisor import ChildDied, NotReady, Stopped, Supervisor

UNTIL_READY = 180  # seconds; a child that dies is noticed at once
LEAST = 500  # subscribers that the story needs, to be paused in the middle

OPEN = """
Moa is up, {seconds:.1f} s after the start.

  Admin   {web}/admin/   log in as admin, password admin-moa
  Inbox   {web}/admin/catcher/capturedmail/   what was sent, as it arrived
  API     {web}/api/docs/

Try this
  1. Open {web}/admin/seller/terms/, choose a draft and publish it:
     every subscriber is told, and the inbox fills. A few addresses refuse their mail.
  2. In the inbox press "Stop refusing", then send the refused ones again:
     {python} manage.py resend_failed_mails
  3. Open and confirm a payment in the API docs; its receipt is in the inbox a moment later.

Ctrl-C ends everything. What you did is kept in {var}; --reset begins anew.
"""


class Command(BaseCommand):
    help = "Start web, relay, worker and mail catcher on this machine, with sample data."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="Of the web server.")
        parser.add_argument("--smtp-port", type=int, default=1025, help="Of the mail catcher.")
        parser.add_argument("--reset", action="store_true", help="Throw the data away first.")
        parser.add_argument("--subscribers", type=int, help="How many sample data has; 500.")
        parser.add_argument("--no-seed", action="store_true", help="Without sample data.")
        parser.add_argument(
            "--check", action="store_true", help="Walk the whole story in a folder of its own."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["check"]:
                sys.exit(0 if check(subscribers=max(options["subscribers"] or 0, LEAST)) else 1)
            self.up(**options)
        except KeyboardInterrupt:
            sys.exit(130)

    def up(
        self,
        *,
        port: int,
        smtp_port: int,
        reset: bool,
        no_seed: bool,
        subscribers: int | None,
        **options: Any,
    ) -> None:
        """Prepare the data, then run until a signal (exit code 0) or a death (exit code 1)."""
        began = time.monotonic()
        check_port(port, "--port")
        check_port(smtp_port, "--smtp-port")
        if reset:
            throw_data_away()
        call_command("migrate", verbosity=0, interactive=False)
        if not no_seed:
            seed(subscribers)
        connections.close_all()
        supervisor = Supervisor(
            processes.programs(port=port, smtp_port=smtp_port),
            environ=processes.environ(port=port, smtp_port=smtp_port),
            folder=str(settings.BASE_DIR),
        )
        try:
            supervisor.start()
            supervisor.wait_until_ready(seconds=UNTIL_READY)
            self.stdout.write(welcome(port, time.monotonic() - began))
            supervisor.watch()
        except Stopped:
            self.stdout.write("Ending …")
        except (ChildDied, NotReady) as trouble:
            raise CommandError(f"{trouble}\nSo everything is ended.") from None
        finally:
            supervisor.stop()


def check_port(port: int, option: str) -> None:
    """Raise CommandError when something else listens there."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((processes.LOOPBACK, port))
        except OSError as error:
            raise CommandError(
                f"Port {port} cannot be used ({error.strerror}). "
                f"Is Moa running already? Choose another with {option}."
            ) from None


def throw_data_away() -> None:
    """Delete the embedded database and broker. Raises CommandError if the data is elsewhere."""
    database = Path(settings.DATABASES["default"]["NAME"])
    if settings.VAR not in database.parents:
        raise CommandError("--reset throws only the embedded data away; unset DATABASE_URL.")
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    shutil.rmtree(settings.VAR / "broker", ignore_errors=True)


def seed(subscribers: int | None) -> None:
    """Make sample data, once; or up to as many subscribers as are asked for."""
    if subscribers is not None:
        call_command("sample_data", subscribers=subscribers)
    elif not get_user_model().objects.exists():
        call_command("sample_data")


def welcome(port: int, seconds: float) -> str:
    return OPEN.format(
        seconds=seconds,
        web=f"http://{processes.LOOPBACK}:{port}",
        python=python_line(),
        var=settings.VAR,
    )


def python_line() -> str:
    """How a person starts the Python of this process, from the project's folder."""
    python, var = Path(sys.executable), settings.VAR
    if settings.BASE_DIR in python.parents:
        python = python.relative_to(settings.BASE_DIR)
    elsewhere = "" if var == settings.BASE_DIR / "var" else f"MOA_VAR={var} "
    return f"DEBUG=true {elsewhere}{python}"
