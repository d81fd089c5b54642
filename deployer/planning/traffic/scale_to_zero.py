"""How much of each hour an endpoint that stops when idle is asleep, and how many requests wake it. Pure.

    asleep(t) = 1 / (exp(m(t)) + s(t))

is the share of `deployer.planning.traffic.profile`: m are the requests expected in the window before t that keep it awake, s
those expected in a cold start before it. Between the moments at which a rate changes or leaves the window m
runs straight, so that the mean over such a piece is exact, with s as it is where its quarter hour begins:

    mean = (F(m1) - F(m0)) / (m1 - m0),   F(m) = -log(1 + s exp(-m)) / s,   -exp(-m) where s is 0

Where a silent night ends, that is one start each morning, however many come at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import exp, log1p
from typing import NamedTuple

from deployer.planning.traffic.profile import STEPS

CERTAIN = 40.0
"""With more requests expected than this nothing sleeps: exp(-40) is 4e-18."""
FLAT = 1e-6
"""Below this difference the formula's own rounding would tell more than the difference does."""


class _Window(NamedTuple):
    """Requests expected in the window before a quarter begins, before its kink, before it ends; where that is."""

    begin: float
    kink: float
    end: float
    at: float  # 0 to 1


def asleep(
    rates: Sequence[float], keep_hours: float | None, seconds: float, cold_hours: float
) -> tuple[float, ...]:
    """Return the share of each hour asleep; `keep_hours` None never sleeps. Hours repeat in both directions."""
    if keep_hours is None:
        return (0.0,) * len(rates)
    kept, starting = (_windows(rates, w) for w in (keep_hours + seconds / 3600, cold_hours))
    quarters = [
        _asleep(window, before.begin) for window, before in zip(kept, starting, strict=True)
    ]
    return tuple(
        sum(quarters[first : first + STEPS]) / STEPS for first in range(0, len(quarters), STEPS)
    )


def _asleep(window: _Window, s: float) -> float:
    """The share of one quarter of an hour."""
    begin, kink, end, at = window
    if min(begin, kink, end) > CERTAIN:
        return 0.0
    return at * _mean(begin, kink, s) + (1 - at) * _mean(kink, end, s)


def _mean(m0: float, m1: float, s: float) -> float:
    if abs(m1 - m0) < FLAT:
        asleep = exp(-(m0 + m1) / 2)
        return asleep / (1 + s * asleep)
    return (_integral(m1, s) - _integral(m0, s)) / (m1 - m0)


def _integral(m: float, s: float) -> float:
    return -exp(-m) if s < FLAT else -log1p(s * exp(-m)) / s


def _windows(rates: Sequence[float], window: float) -> Iterator[_Window]:
    """The requests expected in the window before each quarter of an hour."""
    quarters = [rate / STEPS for rate in rates for _ in range(STEPS)]
    sums = (0.0, *accumulate(quarters))
    count, total = len(quarters), sums[-1]
    turns, rest = divmod(window * STEPS, count)
    back, part = int(rest), rest % 1.0
    for i, quarter in enumerate(quarters):
        j, missed = i - back, turns * total
        if j <= 0:
            j, missed = j + count, missed + total
        kink = sums[i] + part * quarter - sums[j] + missed
        begin = kink - part * (quarter - quarters[j - 1])
        end = kink + (1 - part) * (quarter - quarters[j % count])
        yield _Window(max(0.0, begin), max(0.0, kink), max(0.0, end), part)
