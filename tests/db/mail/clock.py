"""A clock that a test sets."""


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now
