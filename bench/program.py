"""Run the requested sections and show their results."""

import traceback

from bench import picture, report
from bench.options import Options, parse
from bench.rows import Row
from bench.scene import Scene
from bench.sections import section


def main(arguments: list[str]) -> int:
    """Return 0 if everything was measured, whatever the figures, and 1 if a section failed."""
    options = parse(arguments)
    rows: list[Row] = []
    with Scene(quick=options.quick) as scene:
        head = report.head(scene, options)
        for name in options.sections:
            rows += carry_out(name, scene, options)
        head["seconds"] = round(scene.elapsed)
    report.show(rows)
    path = report.place(options)
    report.write(path, head, rows)
    picture.write(path.with_suffix(".svg"), rows)
    scene.say(f"written: {path}")
    return 1 if any(row.measured == BROKEN for row in rows) else 0


BROKEN = "BROKEN"


def carry_out(name: str, scene: Scene, options: Options) -> list[Row]:
    """The rows of a section; if it fails, a row that says so, so that the others are kept."""
    scene.say(f"== {name}")
    try:
        return section(name)(scene, options)
    except Exception as error:
        scene.say(traceback.format_exc())
        return [Row(name, "section", "", BROKEN, False, {"error": repr(error)[:2000]})]
