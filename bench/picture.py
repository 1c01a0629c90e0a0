"""The picture for the docs: mails per second of every contender, on a logarithmic scale."""

import math
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from bench.rows import Row

WIDTH, BAR, GAP, LEFT, TOP = 860, 22, 10, 330, 54
OURS, LIMIT, THEIRS = "#0b7285", "#868e96", "#ced4da"


def write(path: Path, rows: Sequence[Row]) -> None:
    """Draw the section `bulk`; writes nothing if it did not run."""
    bars = [
        (str(row.detail["title"]), float(row.detail["rate"]))
        for row in rows
        if row.section == "bulk" and "rate" in row.detail
    ]
    if bars:
        path.write_text(draw(sorted(bars, key=lambda bar: -bar[1])), encoding="utf-8")


def draw(bars: Sequence[tuple[str, float]]) -> str:
    """An SVG with one bar for each title and rate."""
    height = TOP + len(bars) * (BAR + GAP) + GAP
    low, high = 10.0, max(rate for _, rate in bars) * 1.1
    span = math.log(high / low)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="14" fill="#212529">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text x="16" y="28" font-size="17" font-weight="600">'
        "Mails per second until the SMTP server has taken all (logarithmic scale)</text>",
    ]
    for number, (title, rate) in enumerate(bars):
        y = TOP + number * (BAR + GAP)
        length = (WIDTH - LEFT - 90) * max(0.0, math.log(max(rate, low) / low)) / span
        parts += [
            f'<text x="{LEFT - 12}" y="{y + 16}" text-anchor="end">{escape(title)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" '
            f'fill="{colour(title)}"/>',
            f'<text x="{LEFT + length + 8:.1f}" y="{y + 16}">{rate:,.0f}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def colour(title: str) -> str:
    if title.startswith("Moa"):
        return OURS
    return LIMIT if "smtp-source" in title else THEIRS
