"""What each target costs against the traffic, and over the months. Pure.

The curve takes the week as it is expected, without bursts, once for each amount of traffic.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from deployer.core.domain import HOURS_PER_MONTH
from deployer.planning.compare.options import Asked, Way
from deployer.planning.compare.result import Money, Point, Row
from deployer.planning.traffic.demand import Demand
from deployer.planning.traffic.profile import DAYS_PER_MONTH

STEPS_DOWN, STEPS_UP = 12, 6
"""The curve goes from a 4096th of the traffic asked for to 64 times it, in powers of two."""
MONTHS = 36
"""As long as hardware is written off."""


@dataclass
class Curve:
    """Costs at any multiple of the traffic, each worked out once."""

    asked: Asked
    ways: dict[str, Way]
    demand: Demand
    known: dict[tuple[str, float], Money | None] = field(default_factory=dict)

    def cost(self, target: str, factor: float) -> Money | None:
        """What a month costs at so many times the traffic, lowest and highest likely; None: unknown."""
        key = (target, factor)
        if key not in self.known:
            self.known[key] = self._cost(target, self.demand.times(factor))
        return self.known[key]

    def _cost(self, target: str, demand: Demand) -> Money | None:
        way = self.ways[target]
        how = way.serving(self.asked, demand)
        if how is None:
            return None
        bill = way.price(self.asked, demand, how.run(demand))
        if bill.monthly_usd is None:
            return None
        return bill.monthly_range or (bill.monthly_usd, bill.monthly_usd)

    def tokens(self, factor: float) -> float:
        """Tokens a month, in and out, at so many times the traffic."""
        each = self.demand.input_tokens + self.demand.output_tokens
        return self.demand.per_hour * HOURS_PER_MONTH * factor * each

    def point(self, factor: float) -> Point:
        """What all targets cost at so many times the traffic."""
        usd = {target: self.cost(target, factor) for target in self.ways}
        return Point(
            tokens=self.tokens(factor),
            requests_per_day=self.demand.per_hour
            * HOURS_PER_MONTH
            * factor
            / float(DAYS_PER_MONTH),
            usd={target: pair for target, pair in usd.items() if pair is not None},
        )


FACTORS = tuple(2.0**power for power in range(-STEPS_DOWN, STEPS_UP + 1))


def points(curve: Curve) -> tuple[Point, ...]:
    """Return the curve; without traffic there is none."""
    return tuple(map(curve.point, FACTORS)) if curve.demand.per_hour else ()


def spent(row: Row) -> tuple[Money, ...]:
    """Return what is spent until the end of each month: what is bought in month 0, the rest as it comes."""
    upfront, monthly = row.decimal("upfront_usd"), row.monthly
    if upfront is None or monthly is None:
        return ()
    low, high = row.cells["upfront_usd"].within or (upfront, upfront)
    first = (Decimal(low), Decimal(high))
    each = running(row) or monthly
    return tuple(
        (first[0] + each[0] * month, first[1] + each[1] * month) for month in range(MONTHS + 1)
    )


def running(row: Row) -> Money | None:
    """What a month costs without what was bought: its share of the price is taken out of the bill."""
    if row.monthly is None:
        return None
    low, high = row.monthly
    for item in row.items:
        if item.component == "hardware" and item.monthly_usd is not None:
            bought = item.monthly_range or (item.monthly_usd, item.monthly_usd)
            low, high = low - bought[0], high - bought[1]
    return low, high
