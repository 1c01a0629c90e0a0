"""The calls that a function makes in `mail/`."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

MAIL = f"{Path(__file__).resolve().parents[2] / 'mail'}{os.sep}"

Call = tuple[str, str]
"""A module, by its path inside `mail`, and what was called in it."""


def traced(function: Callable[[], Any]) -> list[Call]:
    """The calls that a function makes in `mail`, in order."""
    calls: list[Call] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(MAIL):
            calls.append((code.co_filename.removeprefix(MAIL), code.co_qualname))

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return calls
