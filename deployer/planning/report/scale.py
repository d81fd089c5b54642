"""Where a value lies on an axis, and which values are named there. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

NICE = (1, 2, 5, 10)


@dataclass(frozen=True)
class Scale:
    """A straight or a logarithmic axis from `low` to `high`, drawn from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return where a value is drawn; what lies outside is drawn at the edge."""
        value = min(max(value, self.low), self.high)
        share = (self._at(value) - self._at(self.low)) / (self._at(self.high) - self._at(self.low))
        return self.start + share * (self.end - self.start)

    def _at(self, value: float) -> float:
        return log10(value) if self.log else value

    def ticks(self, most: int) -> tuple[float, ...]:
        """Return round values on the axis, about so many."""
        found = _decades(self.low, self.high, most) if self.log else _steps(self.high, most)
        return tuple(v for v in found if self.low * (1 - 1e-9) <= v <= self.high * (1 + 1e-9))


def _steps(high: float, most: int) -> Iterator[float]:
    rough = high / max(1, most)
    size = 10 ** floor(log10(rough))
    step = next(size * nice for nice in NICE if size * nice >= rough * (1 - 1e-9))
    yield from (step * n for n in range(ceil(high / step) + 1))


def _decades(low: float, high: float, most: int) -> Iterator[float]:
    first, last = floor(log10(low)), ceil(log10(high))
    nice: Sequence[int] = (1, 2, 5) if last - first <= 2 else (1,)
    every = max(1, ceil((last - first + 1) / most))
    for power in range(first, last + 1, every):
        yield from (n * 10.0**power for n in nice)


def round_down(value: float) -> float:
    """Return the last round value that is not above a positive one."""
    size = 10 ** floor(log10(value))
    return float(next(size * n for n in (5, 2, 1) if size * n <= value * (1 + 1e-9)))


def round_up(value: float) -> float:
    """Return the next round value: the end of an axis that starts at 0."""
    if value <= 0:
        return 1.0
    size = 10 ** floor(log10(value))
    return float(next(size * n for n in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if size * n >= value))
