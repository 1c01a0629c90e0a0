"""manage.py up: all of Moa on this machine, for trying and developing; `bin/up` calls it."""

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

UNTIL_READY = 180  # seconds; a child that dies is noticed immediately
LEAST = 500  # subscribers, so that the story can pause a broadcast in the middle

OPEN = """
Moa is up, {seconds:.1f} s after the start.

  Admin   {web}/admin/   log in as admin, password admin-moa
  Inbox   {web}/admin/catcher/capturedmail/   the mails as they arrived
  API     {web}/api/docs/

Try this
  1. Open {web}/admin/seller/terms/, choose a draft and publish it:
     every subscriber is notified, and the inbox fills up. A few addresses refuse their mail.
  2. In the inbox press "Stop refusing", then resend the refused mails:
     {python} manage.py resend_failed_mails
  3. Open and confirm a payment in the API docs; its receipt arrives in the inbox shortly after.

Ctrl-C stops everything. Your data is kept in {var}; --reset starts afresh.
"""


class Command(BaseCommand):
    help = "Start web, relay, worker and mail catcher on this machine, with sample data."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--port", type=int, default=8000, help="port of the web server (default: 8000)"
        )
        parser.add_argument(
            "--smtp-port", type=int, default=1025, help="port of the mail catcher (default: 1025)"
        )
        parser.add_argument("--reset", action="store_true", help="delete the data first")
        parser.add_argument(
            "--subscribers", type=int, help="subscribers in the sample data (default: 500)"
        )
        parser.add_argument("--no-seed", action="store_true", help="create no sample data")
        parser.add_argument(
            "--check",
            action="store_true",
            help="run the whole story in a temporary folder and check it",
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
        """Prepare the data, then run until a signal (exit code 0) or a child's death (1)."""
        began = time.monotonic()
        check_port(port, "--port")
        check_port(smtp_port, "--smtp-port")
        if reset:
            delete_data()
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
            self.stdout.write("Stopping …")
        except (ChildDied, NotReady) as trouble:
            raise CommandError(f"{trouble}\nEverything has been stopped.") from None
        finally:
            supervisor.stop()


def check_port(port: int, option: str) -> None:
    """Raise CommandError if something else listens there."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((processes.LOOPBACK, port))
        except OSError as error:
            raise CommandError(
                f"Port {port} cannot be used ({error.strerror}). "
                f"Is Moa already running? Choose another with {option}."
            ) from None


def delete_data() -> None:
    """Delete the embedded database and broker. Raises CommandError if the data is elsewhere."""
    database = Path(settings.DATABASES["default"]["NAME"])
    if settings.VAR not in database.parents:
        raise CommandError("--reset deletes only the embedded data; unset DATABASE_URL.")
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    shutil.rmtree(settings.VAR / "broker", ignore_errors=True)


def seed(subscribers: int | None) -> None:
    """Create the sample data unless there are users, or add subscribers up to that number."""
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
    """What to type in the project's folder to run the Python of this process."""
    python, var = Path(sys.executable), settings.VAR
    if settings.BASE_DIR in python.parents:
        python = python.relative_to(settings.BASE_DIR)
    elsewhere = "" if var == settings.BASE_DIR / "var" else f"MOA_VAR={var} "
    return f"DEBUG=true {elsewhere}{python}"
