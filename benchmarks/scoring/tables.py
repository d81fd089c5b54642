"""Error tables of predictions beside measurements."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.scoring.predict import SPEEDS, Prediction
from benchmarks.scoring.rows import Row

KV = ("kv_cache_gib", "kv_cache_tokens")
SPEED = tuple(SPEEDS)
HEAD = f"{'':<52}{'n':>5}{'median':>9}{'p90':>8}{'bias':>8}{'in range':>10}"


@dataclass(frozen=True)
class Scored:
    """A row with its prediction. Errors are shares of what was measured."""

    row: Row
    found: Prediction

    @property
    def ratio(self) -> float | None:
        """Predicted / measured, where there is both."""
        measured = self.row.value
        return self.found.value / measured if self.found.value and measured else None

    @property
    def covered(self) -> bool:
        """Whether the range holds what was measured."""
        low, high, measured = self.found.low, self.found.high, self.row.value
        return None not in (low, high, measured) and low <= measured <= high  # type: ignore[operator]

    @property
    def false_fit(self) -> bool:
        """Whether a load between the measured KV cache and the least one predicted would be called "fits"."""
        if self.row.text("metric") not in KV:
            return False
        return bool(self.found.low and self.row.value and self.found.low > self.row.value)


@dataclass(frozen=True)
class Errors:
    """How far off some predictions are: absolute relative errors, and the median signed one."""

    count: int
    median: float
    p90: float
    bias: float
    covered: float


def errors(scored: Iterable[Scored]) -> Errors | None:
    """Summarize the rows that have a prediction, or None where none has."""
    with_both = [(s, s.ratio) for s in scored]
    known = [(s, ratio - 1) for s, ratio in with_both if ratio is not None]
    if not known:
        return None
    off = sorted(abs(e) for _, e in known)
    return Errors(
        len(off),
        statistics.median(off),
        quantile(off, 0.9),
        statistics.median(e for _, e in known),
        sum(s.covered for s, _ in known) / len(known),
    )


def quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile of sorted values, between two where it falls between them."""
    at = share * (len(values) - 1)
    low = math.floor(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (at - low)


def line(name: str, scored: Iterable[Scored]) -> str:
    """One line of a table."""
    found = errors(scored)
    if found is None:
        return f"{name[-50:]:<52}{0:>5}        (no prediction)"
    return (
        f"{name[-50:]:<52}{found.count:>5}{found.median:>8.1%}{found.p90:>8.1%}{found.bias:>+8.1%}"
        f"{found.covered:>9.0%}"
    )


def table(title: str, scored: Sequence[Scored], key: Callable[[Scored], str]) -> str:
    """A table by one key, with all rows in its last line."""
    names = sorted({key(s) for s in scored})
    lines = [line(name, [s for s in scored if key(s) == name]) for name in names]
    return "\n".join([title, HEAD, *lines, line("all of these", scored)])
