"""The requests of each hour: from the spec's profile with seeded bursts, or from a log. Pure.

Bursts multiply each hour's expected requests by a number drawn from a gamma distribution of mean 1 and shape
4 (it varies by half): an assumption, the same for every target. They are scaled so that the year has exactly
the profile's requests, and do not depend on how many those are: twice the traffic has the same bursts.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache, lru_cache
from random import Random

from deployer.core.records import dataclass
from deployer.planning.traffic.profile import HOURS, hourly_rates
from deployer.spec import Traffic

WEEKS = 52
SEED = 1
BURST_SHAPE = 4.0
"""Shape of the gamma distribution: the coefficient of variation is 1 / sqrt(shape)."""


@dataclass(frozen=True)
class Demand:
    """What is asked, hour by hour from a Monday 0:00, and how long a typical request is.

    `expected` is what a deployment is built for: the profile without bursts, or the log itself.
    """

    rates: tuple[float, ...]
    expected: tuple[float, ...]
    input_tokens: float
    output_tokens: float
    source: str

    @property
    def per_hour(self) -> float:
        """Requests of the mean hour."""
        return sum(self.rates) / len(self.rates)

    @property
    def peak(self) -> float:
        """Requests of the busiest hour that is expected."""
        return max(self.expected)

    @property
    def burstiness(self) -> float:
        """The busiest expected hour over the mean one: 1 is steady."""
        mean = sum(self.expected) / len(self.expected)
        return self.peak / mean if mean else 1.0

    def times(self, factor: float) -> Demand:
        """The same traffic, so many times as much of it."""
        return replace(
            self,
            rates=tuple(rate * factor for rate in self.rates),
            expected=tuple(rate * factor for rate in self.expected),
        )

    def week(self) -> Demand:
        """One week as it is expected, without bursts; of a log, all of it."""
        return replace(self, rates=self.expected)


def of_traffic(traffic: Traffic, seed: int = SEED, weeks: int = WEEKS) -> Demand:
    """Return the year that the spec's traffic section describes."""
    expected = hourly_rates(float(traffic.requests_per_day), traffic.profile)
    profile = traffic.profile if isinstance(traffic.profile, str) else "24 hourly weights"
    return Demand(
        rates=_with_bursts(expected, seed, weeks),
        expected=expected,
        input_tokens=float(traffic.input_tokens),
        output_tokens=float(traffic.output_tokens),
        source=f"traffic.profile {profile}, {weeks} weeks with bursts of seed {seed}",
    )


@lru_cache(maxsize=4)
def _with_bursts(expected: tuple[float, ...], seed: int, weeks: int) -> tuple[float, ...]:
    drawn = _bursts(seed, weeks)
    rates = [rate * burst for rate, burst in zip(expected * weeks, drawn, strict=True)]
    total = sum(rates)
    scale = sum(expected) * weeks / total if total else 0.0
    return tuple(rate * scale for rate in rates)


@cache
def _bursts(seed: int, weeks: int) -> tuple[float, ...]:
    draw = Random(seed)  # noqa: S311 - traffic, no secret
    count = weeks * HOURS
    return tuple(draw.gammavariate(BURST_SHAPE, 1 / BURST_SHAPE) for _ in range(count))
