"""memory: the memory of a worker with two processes, by the size of the audience."""

from bench.measure import measured
from bench.options import Options
from bench.rows import Row, at_most
from bench.scene import Scene

SECTION = "memory"
MOST = 200  # MB, both processes and their parent


def run(scene: Scene, options: Options) -> list[Row]:
    sizes = (2_000,) if options.quick else (10_000, 1_000_000)
    peaks = {count: peak(scene, count) for count in sizes}
    growth = abs(peaks[sizes[-1]] / peaks[sizes[0]] - 1) * 100
    detail = {"mb": peaks}
    rows = [
        at_most(SECTION, f"worker, {count:,} notices, peak PSS", found, MOST, " MB")
        for count, found in peaks.items()
    ]
    if len(sizes) > 1:
        rows.append(at_most(SECTION, "difference of the two", growth, 10, " %", **detail))
    return rows


def peak(scene: Scene, count: int) -> float:
    """The peak PSS of a worker that delivers so many notices, MB."""
    with scene.sink() as sink, scene.moa(sink.url) as moa:
        moa.start()
        terms = moa.shop.ask("product", subscribers=count)["terms"]
        with measured({"worker": moa.roots["worker"]}) as usage:
            moa.shop.ask("publish", terms=terms)
            sink.wait_for(count, seconds=3600, alive=moa.trouble)
        sink.check(count)
    scene.say(f"{count:,} notices: {usage.pss['worker']:.0f} MB")
    return usage.pss["worker"]
