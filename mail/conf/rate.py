"""The rate limit: MAIL_RATE."""

import re
from dataclasses import dataclass
from typing import Self

from django.core.exceptions import ImproperlyConfigured

RATE = re.compile(r"^(?P<count>\d+(\.\d+)?)/(?P<unit>[smhd])$")
SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, kw_only=True)
class Rate:
    """The rate limit of all workers together; None means unlimited."""

    per_second: float | None = None
    per_day: int | None = None

    @classmethod
    def parse(cls, text: str, *, name: str) -> Self:
        """Parse `14/s` or `14/s,50000/d`; empty is unlimited. Raises ImproperlyConfigured."""
        per_second: float | None = None
        per_day: int | None = None
        for part in filter(None, (part.strip() for part in text.split(","))):
            match = RATE.match(part)
            if not match or float(match["count"]) <= 0:
                raise ImproperlyConfigured(
                    f"{name} has {part!r}; write it as 14/s, 500/m or 14/s,50000/d."
                )
            if match["unit"] == "d":
                per_day = max(1, int(float(match["count"])))
            else:
                per_second = float(match["count"]) / SECONDS[match["unit"]]
        return cls(per_second=per_second, per_day=per_day)
