"""Moa: a seller's terms are published, and every subscriber is notified."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.moa import Moa
from bench.scene import Scene
from bench.sinks import Sink


class Ours:
    """One relay, one worker with two processes; the rows made by the seller's service."""

    title = "Moa"
    warm, least = 2_000, 20_000

    def __init__(self) -> None:
        self.moa: Moa
        self.made: dict[str, Any] = {}

    def start(self, scene: Scene, sink: Sink, notice: Path, ending: ExitStack) -> None:
        self.moa = ending.enter_context(scene.moa(sink.url)).start()

    def prepare(self, count: int) -> None:
        self.made = self.moa.shop.ask("product", subscribers=count)

    def send(self, count: int) -> float:
        return float(self.moa.shop.ask("publish", terms=self.made["terms"])["began"])

    @property
    def roots(self) -> Mapping[str, int]:
        return self.moa.roots

    def trouble(self) -> str:
        return self.moa.trouble()
