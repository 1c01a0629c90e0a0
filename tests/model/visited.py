"""What a search has visited."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Visited:
    """How much was tried, and what of the model it reached."""

    examples: int = 0
    """Those that came to their end, every mail at rest; what was cut short does not count."""
    begun: int = 0
    looks: int = 0
    """How often the invariants were asked: once at the start of an example and after each step."""
    transitions: Counter[str] = field(default_factory=Counter)
    crash_points: Counter[str] = field(default_factory=Counter)
    on_example: Callable[["Visited"], None] = lambda _: None

    @property
    def steps(self) -> int:
        return self.looks - self.begun
