"""The sections of the benchmark, one module each.

A module has `run(scene, options) -> list[Row]`: it sets up what it needs on the scene, measures,
and tears it down again.
"""

from collections.abc import Callable
from importlib import import_module

from bench.options import Options
from bench.rows import Row
from bench.scene import Scene

Run = Callable[[Scene, Options], list[Row]]


def section(name: str) -> Run:
    """The `run` of a section. Raises ModuleNotFoundError."""
    run: Run = import_module(f"bench.sections.{name.replace('-', '_')}").run
    return run
