"""Check: run the story step by step and report whether each step passed."""

import sys
import time
import traceback
from collections.abc import Callable
from typing import TextIO, TypeVar

from demo.story import notices, payments
from demo.story.notices import Seen, Step
from demo.story.running import Running
from demo.story.scene import Scene, settle

STEPS: list[Step] = [
    notices.log_in,
    notices.publish,
    notices.tell,
    notices.arrive_once,
    notices.read_notice,
    notices.show_refused,
    payments.pay,
    payments.receive_receipt,
    payments.pay_again,
    payments.tell_twice,
    payments.be_unsure,
    payments.reset_password,
    payments.erase_secret,
    payments.show_status,
    notices.resend,
    notices.deliver_all,
    notices.all_arrived_once,
    notices.pause,
    notices.resume,
]
Subject = TypeVar("Subject")
COLUMNS = "{mark} {step:<54} {expected:<47} {seen:<47} {seconds}"


def check(*, subscribers: int = 500, output: TextIO = sys.stdout) -> bool:
    """Start Moa on free ports in an empty folder and run the story; return whether all passed.

    The folder is removed unless a step failed.
    """
    table = Table(output)
    moa = Running(subscribers=subscribers)
    try:
        table.run(start, moa)
        scene = Scene(moa, subscribers)
        for step in STEPS:
            table.run(step, scene)
        table.run(end, moa)
    except Exception:
        output.write(f"{traceback.format_exc()}\nWhat Moa printed last:\n{moa.last_lines()}\n")
        table.failures += 1
    finally:
        moa.stop()
    table.close(moa)
    return not table.failures


def start(moa: Running) -> Seen:
    """python3 bin/up, with an empty folder"""
    moa.wait_until_up()
    return "up", "up"


def end(moa: Running) -> Seen:
    """Ctrl-C stops everything"""
    code = moa.stop()
    listening = settle(moa.is_listening, False, seconds=5)
    return (
        {"exit code": 0, "ports still in use": False},
        {"exit code": code, "ports still in use": listening},
    )


class Table:
    """The steps as they run: what was expected, and what was seen."""

    def __init__(self, output: TextIO) -> None:
        self.output = output
        self.failures = 0
        self.done = 0
        self.began = time.monotonic()
        self._write(mark=" ", step="step", expected="expected", seen="seen", seconds="")

    def run(self, step: Callable[[Subject], Seen], subject: Subject) -> None:
        """Run one step, write its line, and pass on what it raises."""
        began = time.monotonic()
        expected: object = ""
        try:
            expected, seen = step(subject)
        except Exception as error:
            expected, seen = "", f"{type(error).__name__}: {error}"
            raise
        finally:
            held = expected == seen
            self.failures += not held
            self.done += 1
            self._write(
                mark="✓" if held else "✗",
                step=(step.__doc__ or "").strip(),
                expected=shown(expected),
                seen=shown(seen),
                seconds=f"{time.monotonic() - began:.1f} s",
            )

    def close(self, moa: Running) -> None:
        """Write the result, and remove the folder if all steps passed."""
        seconds = time.monotonic() - self.began
        if self.failures:
            self.output.write(
                f"\n{self.failures} of {self.done} steps failed. The data is in {moa.folder}\n"
            )
            return
        moa.forget()
        self.output.write(f"\nAll {self.done} steps passed in {seconds:.0f} s.\n")

    def _write(self, **cells: str) -> None:
        self.output.write(COLUMNS.format(**cells).rstrip() + "\n")
        self.output.flush()


def shown(value: object) -> str:
    """A value in readable form, on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {shown(value[key])}" for key in sorted(value))
    if isinstance(value, tuple | list):
        return " and ".join(shown(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "nothing" if value is None else " ".join(str(value).split())
