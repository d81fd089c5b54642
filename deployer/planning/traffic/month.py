"""What a month of the spec's traffic asks of an endpoint that sleeps when nobody calls it. Pure.

Simulated hour by hour over some weeks with seeded bursts, at both ends of what is not known: the speed, and how long a
cold start takes. What is billed in windows pays its last one whole each time that it falls asleep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from deployer.core.domain import HOURS_PER_MONTH, Range, Usage
from deployer.core.records import dataclass
from deployer.planning.traffic import profile as flow
from deployer.planning.traffic.demand import of_traffic
from deployer.planning.traffic.profile import DAYS_PER_MONTH, UNKNOWN_SECONDS
from deployer.planning.traffic.simulation import Server, Simulation, simulate
from deployer.spec import Traffic

WEEKS = 4
"""Weeks with bursts of their own: one alone would be an accident."""


@dataclass(frozen=True)
class Sleeper:
    """An endpoint that sleeps. `seconds` is how long one request takes while `batch` are answered at once.

    `most` copies answer at the same time; None: as many as the traffic asks for.
    """

    keep_minutes: float
    cold_minutes: Range
    seconds: Range | None
    batch: int = 1
    window_minutes: float = 0.0  # what is billed at least, each time it wakes
    most: int | None = 1

    @property
    def servers(self) -> tuple[Server, Server]:
        """At the higher and at the lower likely speed."""
        slow = 0.0 if self.seconds else UNKNOWN_SECONDS[1]
        times = self.seconds or (None, None)
        fast, late = (
            Server(
                seconds=took,
                batch=self.batch,
                copies=None,
                keep_hours=self.keep_minutes / 60,
                cold_hours=cold / 60,
                most=self.most,
            )
            for took, cold in zip(times, self.cold_minutes, strict=True)
        )
        return fast, replace(late, keep_hours=(late.keep_hours or 0.0) + slow / 3600)


@dataclass(frozen=True)
class Month:
    """The month's usage, and the share of requests that meet a cold start, lowest and highest likely."""

    usage: Usage
    cold_share: Range
    weeks: int = WEEKS  # that were simulated


def of_sleeper(traffic: Traffic, sleeper: Sleeper) -> Month:
    """Simulate the traffic on an endpoint that sleeps."""
    rates = of_traffic(traffic, weeks=WEEKS).rates
    runs = [simulate(rates, server) for server in sleeper.servers]
    low, high = sorted(run.cold_share for run in runs)
    usage = flow.month(
        Decimal(str(traffic.requests_per_day)) * DAYS_PER_MONTH,
        (traffic.input_tokens, traffic.output_tokens),
        active_hours=_between([_awake(run, sleeper) for run in runs]),
        busy_hours=_between(_busy(runs, traffic, known=sleeper.seconds is not None)),
    )
    return Month(usage, (low, high))


def _awake(run: Simulation, sleeper: Sleeper) -> float:
    """The hours that are billed: on average half a window more for each time that it falls asleep."""
    windows = run.monthly("cold_starts") * sleeper.window_minutes / 60 / 2
    return min(float(HOURS_PER_MONTH) * run.copies, run.monthly("copy_hours") + windows)


def _busy(runs: Sequence[Simulation], traffic: Traffic, *, known: bool) -> list[float]:
    if known:
        return [run.monthly("busy_hours") for run in runs]
    return [0.0, float(HOURS_PER_MONTH) if traffic.requests_per_day else 0.0]


def _between(hours: Sequence[float]) -> tuple[Decimal, Decimal]:
    low, high = sorted(Decimal(str(round(h, 6))) for h in hours)
    return low, high
