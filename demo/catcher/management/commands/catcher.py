"""manage.py catcher: a local SMTP server whose mails are shown in the admin."""

import asyncio
import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from demo.catcher.server import LOOPBACK, listen


class Command(BaseCommand):
    help = "Catch all mail sent to a local port and show it in the admin, under Inbox."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--port", type=int, default=1025, help="port on this machine (default: 1025)"
        )

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        try:
            asyncio.run(self.serve(port))
        except OSError as error:
            raise CommandError(f"Port {port} of {LOOPBACK} cannot be used: {error}.") from None

    async def serve(self, port: int) -> None:
        """Catch mail until SIGTERM or SIGINT."""
        asked_to_stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
        server = await listen(port)
        self.stdout.write(f"SMTP on {LOOPBACK}:{port}")
        await asked_to_stop.wait()
        server.close()
