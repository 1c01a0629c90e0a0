"""manage.py relay: bind, publish, rescue and expand until SIGTERM."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from mail.relay import watchdog
from mail.relay.loop import Relay


class Command(BaseCommand):
    help = "Run a relay. Any number may run; one leads, the others stand by."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        watchdog.run(Relay(), stop)
