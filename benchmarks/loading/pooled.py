"""Two load generators' requests of many short rounds, compared by the percentiles of all of them together.

Both send to the same server in alternating rounds, so that a change of the machine's speed falls on both. The
interval is a bootstrap over the rounds (Efron 1979): pairs of rounds are drawn again with replacement, as what
disturbs a machine disturbs a whole round and not single requests.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Percentile = Callable[[Sequence[float], float], float]
"""Of sorted values and a share, 0 to 1."""
DRAWS = 1000
INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class Round:
    """What each of the two saw in a pair of rounds, in seconds."""

    ours: Sequence[float]
    theirs: Sequence[float]


@dataclass(frozen=True)
class Compared:
    """One percentile of both, ours divided by theirs, and where that lies in 95 % of the draws."""

    ours: float
    theirs: float
    ratio: float
    within: tuple[float, float]


def compare(rounds: Sequence[Round], share: float, mine: Percentile, other: Percentile) -> Compared:
    """Compare one percentile, each computed as its own generator does."""

    def both(some: Sequence[Round]) -> tuple[float, float]:
        ours = sorted(value for each in some for value in each.ours)
        theirs = sorted(value for each in some for value in each.theirs)
        return mine(ours, share), other(theirs, share)

    ours, theirs = both(rounds)
    draw = random.Random(1)
    drawn = [both(draw.choices(rounds, k=len(rounds))) for _ in range(DRAWS)]
    ratios = sorted(a / b for a, b in drawn)
    low, high = (ratios[round(end * (DRAWS - 1))] for end in INTERVAL)
    return Compared(ours, theirs, ours / theirs, (low, high))
