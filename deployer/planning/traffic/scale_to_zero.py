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
from math import ceil, exp, log1p

from deployer.planning.traffic.profile import STEPS

CERTAIN = 40.0
"""With more requests expected than this nothing sleeps: exp(-40) is 4e-18."""
FLAT = 1e-6
"""Below this difference the formula's own rounding would tell more than the difference does."""


def asleep(
    rates: Sequence[float], keep_hours: float | None, seconds: float, cold_hours: float
) -> tuple[float, ...]:
    """Return the share of each hour asleep; `keep_hours` None never sleeps. Hours repeat in both directions.

    An hour's share follows from the rates of the hours that the windows reach back into and its own: hours that are
    alike in these, such as those of silent nights, are worked out once.
    """
    if keep_hours is None:
        return (0.0,) * len(rates)
    keep_hours += seconds / 3600
    reach = min(ceil(max(keep_hours, cold_hours)), len(rates))
    before = (*rates[len(rates) - reach :], *rates)
    pasts = [before[hour : hour + reach + 1] for hour in range(len(rates))]
    hours = {past: hour for hour, past in enumerate(pasts)}
    shares = _shares(_Flow(rates), list(hours.values()), keep_hours, cold_hours)
    known = dict(zip(hours, shares, strict=True))
    return tuple(known[past] for past in pasts)


def _shares(
    flow: _Flow, hours: Sequence[int], keep_hours: float, cold_hours: float
) -> Iterator[float]:
    """The share asleep of some of the hours."""
    at = [hour * STEPS + step for hour in hours for step in range(STEPS)]
    part = keep_hours * STEPS % 1.0
    columns = (
        flow.expected(at, keep_hours),
        flow.expected(at, keep_hours, kink=True),
        flow.expected([quarter + 1 for quarter in at], keep_hours),
        flow.expected(at, cold_hours),
    )
    shares = [
        1.0
        if not (begin or kink or end or s)
        else 0.0
        if begin > CERTAIN and kink > CERTAIN and end > CERTAIN
        else _share(part, begin, kink, end, s)
        for begin, kink, end, s in zip(*columns, strict=True)
    ]
    return (sum(shares[first : first + STEPS]) / STEPS for first in range(0, len(at), STEPS))


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


class _Flow:
    """The requests of each quarter of an hour; the quarters repeat in both directions."""

    def __init__(self, rates: Sequence[float]) -> None:
        self._quarters = [rate / STEPS for rate in rates for _ in range(STEPS)]
        self._until = [0.0, *accumulate(self._quarters)]

    def expected(self, at: Sequence[int], hours: float, *, kink: bool = False) -> list[float]:
        """Return the requests in the window of so many hours before some of the quarters begin.

        With `kink`, before the moment in each at which the window's own beginning passes into the next quarter.
        """
        quarters, until = self._quarters, self._until
        count, total = len(quarters), until[-1]
        turns, rest = divmod(hours * STEPS, count)
        back, part = int(rest), rest % 1.0
        missed, turned, more = turns * total, count - back, 0 if kink else -back - 1
        return [
            number
            if (
                number := (
                    until[q] - until[q - back]
                    if q >= back
                    else until[q] - until[q + turned] + total
                )
                + missed
                + part * quarters[q + more]
            )
            > 0.0
            else 0.0  # max takes twice as long
            for q in at
        ]
