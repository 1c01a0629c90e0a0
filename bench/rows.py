"""Rows: the lines of the final table."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """A measured figure and its target; `passes` is None without a target."""

    section: str
    name: str
    target: str
    measured: str
    passes: bool | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    """All its measurements, for the JSON."""

    @property
    def verdict(self) -> str:
        return {True: "pass", False: "SHORTFALL", None: ""}[self.passes]


def at_least(section: str, name: str, value: float, bound: float, unit: str, **detail: Any) -> Row:
    """A row that passes from `bound` upwards."""
    return Row(section, name, f">= {bound:g}{unit}", f"{value:.3g}{unit}", value >= bound, detail)


def at_most(section: str, name: str, value: float, bound: float, unit: str, **detail: Any) -> Row:
    """A row that passes up to `bound`."""
    return Row(section, name, f"<= {bound:g}{unit}", f"{value:.3g}{unit}", value <= bound, detail)


def reported(section: str, name: str, measured: str, **detail: Any) -> Row:
    """A row without a target."""
    return Row(section, name, "", measured, None, detail)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed (nearest rank); `share` within 0..1."""
    ordered = sorted(values)
    rank = math.ceil(round(share * len(ordered), 6))  # 0.07 * 100 is a little more than 7
    return ordered[max(rank, 1) - 1]


def spread(rates: Sequence[float]) -> str:
    """Such as `3012/s (2890–3100)`."""
    return f"{statistics.median(rates):.0f}/s ({min(rates):.0f}–{max(rates):.0f})"
