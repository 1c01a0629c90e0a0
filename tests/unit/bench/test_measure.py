"""What the benchmark says of processes and figures is so."""

import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from bench import measure, picture
from bench.rows import at_least, at_most, percentile
from tests.harness.ports import wait_until

CHILD_BURNS = """
import subprocess, sys
child = "import time\\nwhile time.process_time() < 0.3: pass"
for line in sys.stdin:
    subprocess.run([sys.executable, "-c", child])
    print("done", flush=True)
"""
HOLDS_MEMORY = "held = bytearray(80_000_000); held[::4096] = b'x' * len(held[::4096]); input()"


def begin(program: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_cpu_of_a_child_that_has_ended_counts_to_its_parent():
    with begin(CHILD_BURNS) as parent:
        with measure.measured({"parent": parent.pid, "us": os.getpid()}) as usage:
            print("go", file=parent.stdin, flush=True)
            parent.stdout.readline()
        parent.stdin.close()

    assert 0.25 <= usage.cpu["parent"] <= 1.5
    assert usage.per_thousand(500)["parent"] == pytest.approx(usage.cpu["parent"] * 2, abs=0.001)


def test_the_memory_is_that_of_the_whole_tree():
    parent_of = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLDS_MEMORY!r}])"
    with begin(parent_of) as parent:
        try:
            wait_until(lambda: measure.memory({"it": parent.pid})["it"][0] > 80, what="80 MB")
            pss, rss = measure.memory({"it": parent.pid})["it"]
        finally:
            parent.stdin.close()

    assert 80 < pss <= rss < 160


@pytest.mark.parametrize(
    ("share", "expected"), [(0, 1), (0.07, 7), (0.5, 50), (0.95, 95), (0.99, 99), (1, 100)]
)
def test_a_percentile_is_the_value_that_so_many_do_not_exceed(share: float, expected: int):
    assert percentile(range(100, 0, -1), share) == expected


def test_a_row_passes_at_its_bound_and_falls_short_beyond_it():
    assert [at_least("s", "n", value, 3, " x").verdict for value in (3, 2.9)] == [
        "pass",
        "SHORTFALL",
    ]
    assert [at_most("s", "n", value, 3, " x").verdict for value in (3, 3.1)] == [
        "pass",
        "SHORTFALL",
    ]


def test_the_picture_has_a_bar_for_each_contender_and_longer_ones_for_faster_ones():
    drawn = ElementTree.fromstring(picture.draw([("Moa", 3000.0), ("A & B", 250.0)]))

    rectangles = drawn.findall("{http://www.w3.org/2000/svg}rect")[1:]
    assert len(rectangles) == 2
    assert float(rectangles[0].get("width")) > float(rectangles[1].get("width"))
    assert "A & B" in [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
