"""The typical week of a simulation, and how long a wait is in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from deployer.core.documents.compare import Wait
from deployer.planning.compare.result import WeekHour
from deployer.planning.traffic.profile import HOURS
from deployer.planning.traffic.simulation import Simulation

WAITS: tuple[tuple[float, Wait], ...] = ((1.0, "none"), (60.0, "seconds"), (600.0, "minutes"))
"""A mean wait below so many seconds is called so; anything longer is `overloaded`."""


def wait_class(seconds: float | None) -> Wait:
    """Say how long requests wait for their turn: none, seconds, minutes, overloaded or unknown."""
    if seconds is None:
        return "unknown"
    return next((name for most, name in WAITS if seconds < most), "overloaded")


def typical(simulation: Simulation) -> tuple[WeekHour, ...]:
    """Return the means of each hour of the week over all weeks; a log shorter than a week gives what it has."""
    return tuple(_mean(simulation, hour) for hour in range(min(HOURS, len(simulation.requests))))


def _mean(simulation: Simulation, hour: int) -> WeekHour:
    def mean(column: Sequence[float]) -> float:
        same = column[hour::HOURS]
        return sum(same) / len(same)

    used, waits = simulation.utilisations, simulation.waits
    return WeekHour(
        requests=mean(simulation.requests),
        running_hours=mean(simulation.copy_hours),
        utilisation=None if used is None else mean(used),
        wait=wait_class(None if waits is None else mean(waits)),
        cold_starts=mean(simulation.cold_starts),
        met_cold=mean(simulation.met_cold),
    )
