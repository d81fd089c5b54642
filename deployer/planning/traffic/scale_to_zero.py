"""How much of each hour an endpoint that stops when idle is asleep, and how many requests wake it. Pure.

    asleep(t) = 1 / (exp(m(t)) + s(t))

is the share of `deployer.planning.traffic.profile`: m are the requests expected in the window before t that keep it awake, s
those expected in a cold start before it. Between the moments at which a rate changes or leaves the window m
runs straight, so that the mean over such a piece is exact, with s as it is where its quarter hour begins:

    mean = (F(m1) - F(m0)) / (m1 - m0),   F(m) = -log(1 + s exp(-m)) / s,   -exp(-m) where s is 0

Where a silent night ends, that is one start each morning, however many come at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import exp, log1p

from deployer.planning.traffic.profile import STEPS

CERTAIN = 40.0
"""With more requests expected than this nothing sleeps: exp(-40) is 4e-18."""
FLAT = 1e-6
"""Below this difference the formula's own rounding would tell more than the difference does."""


def asleep(
    rates: Sequence[float], keep_hours: float | None, seconds: float, cold_hours: float
) -> tuple[float, ...]:
    """Return the share of each hour asleep; `keep_hours` None never sleeps. Hours repeat in both directions."""
    if keep_hours is None:
        return (0.0,) * len(rates)
    quarters = [rate / STEPS for rate in rates for _ in range(STEPS)]
    part, begins, kinks = _expected(quarters, keep_hours + seconds / 3600)
    _, starting, _ = _expected(quarters, cold_hours)
    shares = [
        1.0
        if not (begin or kink or end or s)
        else 0.0
        if begin > CERTAIN and kink > CERTAIN and end > CERTAIN
        else _share(part, begin, kink, end, s)
        for begin, kink, end, s in zip(
            begins, kinks, (*begins[1:], begins[0]), starting, strict=True
        )
    ]
    return tuple(
        sum(shares[first : first + STEPS]) / STEPS for first in range(0, len(shares), STEPS)
    )


def _share(part: float, begin: float, kink: float, end: float, s: float) -> float:
    """The mean share of a quarter in which m goes from `begin` to `kink` in its first `part`, then to `end`."""
    first, second = kink - begin, end - kink
    if s < FLAT:
        at_begin, at_kink, at_end = -exp(-begin), -exp(-kink), -exp(-end)
    else:
        at_begin, at_kink, at_end = (
            -log1p(s * exp(-begin)) / s,
            -log1p(s * exp(-kink)) / s,
            -log1p(s * exp(-end)) / s,
        )
    flat, also = -FLAT < first < FLAT, -FLAT < second < FLAT
    one = _flat(begin, kink, s) if flat else (at_kink - at_begin) / first
    other = _flat(kink, end, s) if also else (at_end - at_kink) / second
    return part * one + (1 - part) * other


def _flat(m0: float, m1: float, s: float) -> float:
    """The share where m hardly changes."""
    asleep = exp(-(m0 + m1) / 2)
    return asleep / (1 + s * asleep)


def _expected(
    quarters: Sequence[float], hours: float
) -> tuple[float, Sequence[float], Sequence[float]]:
    """The requests in the window of so many hours, as each quarter of an hour begins and at its kink; the quarters repeat.

    The kink is where the window's own beginning passes into the next quarter: what is returned first says where, 0 to
    1 of every quarter.
    """
    sums = [0.0, *accumulate(quarters)]
    count, total = len(quarters), sums[-1]
    turns, rest = divmod(hours * STEPS, count)
    back, part = int(rest), rest % 1.0
    cut, missed = count - back, turns * total
    whole = [
        now - past + missed + total for now, past in zip(sums[:back], sums[cut:-1], strict=True)
    ]
    whole += [now - past + missed for now, past in zip(sums[back:-1], sums[:cut], strict=True)]
    leaving = (*quarters[cut - 1 :], *quarters[: cut - 1])
    return part, _ahead(whole, part, leaving), _ahead(whole, part, quarters)


def _ahead(whole: Sequence[float], part: float, quarters: Sequence[float]) -> list[float]:
    """The whole quarters of a window with a part of another each, never below 0."""
    return [
        number if (number := count + part * quarter) > 0.0 else 0.0  # max takes twice as long
        for count, quarter in zip(whole, quarters, strict=True)
    ]
