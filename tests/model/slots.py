"""Worker slots: threads that stop at a given point, continue later, or die there.

Only one thread runs at any moment: a test hands control to a slot and gets it back when the slot
parks, ends or dies. So whatever happens is decided by the test, never by the scheduler.
"""

import threading
from collections.abc import Callable

from django.db import connection

PATIENCE = 60  # seconds; only a deadlock takes longer


class Died(BaseException):
    """The worker process is gone: nothing in it runs on, nothing is caught."""


class Slot(threading.Thread):
    """One slot of a Celery worker."""

    def __init__(self, number: int) -> None:
        super().__init__(name=f"slot {number}", daemon=True)
        self.number = number
        self.job: Callable[[], None] | None = None
        self.steps_left = 0
        self.is_to_die = False
        self.error: BaseException | None = None
        self.died = False
        self.died_at = ""
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self.errand: Callable[[], None] | None = None
        self.start()

    @property
    def is_busy(self) -> bool:
        return self.job is not None

    def begin(self, job: Callable[[], None]) -> None:
        """Take a job; it runs when the slot is advanced."""
        self.job, self.died = job, False

    def advance(self, steps: int, *, dies: bool = False) -> None:
        """Let it run over so many points and park, or die, at the next."""
        self.steps_left, self.is_to_die = steps, dies
        self._hand_over()

    def kill(self) -> None:
        """Let it die where it is parked."""
        self.advance(0, dies=True)

    def do(self, errand: Callable[[], None]) -> None:
        """Run something in the thread of the parked slot."""
        self.errand = errand
        self._hand_over()

    def point(self, name: str) -> None:
        """Called by the job: a point where it may park or die."""
        while self.steps_left <= 0:
            if self.is_to_die:
                self.died_at = name
                raise Died
            self._park()
        self.steps_left -= 1

    def run(self) -> None:
        while True:
            self._go.acquire()
            try:
                if self.errand:
                    self._run_errand()
                if self.job:
                    self.job()
            except Died:
                self.died = True
            except BaseException as error:
                self.error = error
            finally:
                self.job = None
                self._back.release()

    def finish(self) -> None:
        """Close the slot's database sessions, from inside."""
        self.do(lambda: connection.close())  # the connection of that thread

    def _park(self) -> None:
        self._back.release()
        self._go.acquire()
        while self.errand:
            self._run_errand()
            self._back.release()
            self._go.acquire()

    def _run_errand(self) -> None:
        errand, self.errand = self.errand, None
        assert errand is not None
        errand()

    def _hand_over(self) -> None:
        self._go.release()
        assert self._back.acquire(timeout=PATIENCE), f"{self.name} hangs"
        error, self.error = self.error, None
        if error is not None:
            raise error
