"""Run the sections that were asked for and show what came of them."""

import traceback

from bench import picture, report
from bench.options import Options, parse
from bench.rows import Row
from bench.scene import Scene
from bench.sections import section


def main(arguments: list[str]) -> int:
    """0 when everything was measured, whatever the figures; 1 when a section broke."""
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
    """The rows of a section; one that says so if it breaks, so that the others are not lost."""
    scene.say(f"== {name}")
    try:
        return section(name)(scene, options)
    except Exception as error:
        scene.say(traceback.format_exc())
        return [Row(name, "section", "", BROKEN, False, {"error": repr(error)[:2000]})]
