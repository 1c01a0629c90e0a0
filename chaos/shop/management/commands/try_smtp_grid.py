"""`manage.py try_smtp_grid`: every cell of the SMTP grid, a line of JSON for each."""

import json
import time
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from chaos.cells import ANSWER_CELLS, CELLS, Cell, in_the_end
from chaos.shop.cell import try_cell
from chaos.shop.views import NOTE


class Command(BaseCommand):
    help = "Try every cell of the SMTP grid; no relay and no worker may run on the database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--only", default="", help="Cells whose name has this.")

    def handle(self, *args: Any, only: str, **options: Any) -> None:
        for pipelining in (True, False):
            for cell in [*CELLS, *ANSWER_CELLS]:
                name = f"SMTP {cell.name}{'' if pipelining else ', no PIPELINING'}"
                if only in name:
                    self.stdout.write(json.dumps(row(cell, name, pipelining=pipelining)))
                    self.stdout.flush()


def row(cell: Cell, name: str, *, pipelining: bool) -> dict[str, Any]:
    """The expected and the observed outcome of a cell."""
    began = time.monotonic()
    expected = (cell.first, in_the_end(cell.first))
    seen = try_cell(cell, NOTE, pipelining=pipelining)
    return {
        "row": name,
        "expected": [asdict(one) for one in expected],
        "seen": [asdict(one) for one in seen],
        "as_expected": seen == expected,
        "seconds": round(time.monotonic() - began, 1),
    }
