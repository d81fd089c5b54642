"""The typical week of a simulation, and how long a wait is in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deployer.core.documents.compare import Wait
from deployer.planning.compare.result import WeekHour
from deployer.planning.traffic.profile import HOURS
from deployer.planning.traffic.simulation import Hour, Simulation

WAITS: tuple[tuple[float, Wait], ...] = ((1.0, "none"), (60.0, "seconds"), (600.0, "minutes"))
"""A mean wait below so many seconds is called so; anything longer is `overloaded`."""


def wait_class(seconds: float | None) -> Wait:
    """Say how long requests wait for their turn: none, seconds, minutes, overloaded or unknown."""
    if seconds is None:
        return "unknown"
    return next((name for most, name in WAITS if seconds < most), "overloaded")


def typical(simulation: Simulation) -> tuple[WeekHour, ...]:
    """Return the means of each hour of the week over all weeks; a log shorter than a week gives what it has."""
    return tuple(map(_mean, _same(simulation.hours)))


def _same(hours: Sequence[Hour]) -> Iterator[Sequence[Hour]]:
    for hour in range(min(HOURS, len(hours))):
        yield hours[hour::HOURS]


def _mean(hours: Sequence[Hour]) -> WeekHour:
    count = len(hours)
    used = [h.utilisation for h in hours if h.utilisation is not None]
    waits = [h.wait_seconds for h in hours if h.wait_seconds is not None]
    return WeekHour(
        requests=sum(h.requests for h in hours) / count,
        running_hours=sum(h.copy_hours for h in hours) / count,
        utilisation=sum(used) / len(used) if used else None,
        wait=wait_class(sum(waits) / len(waits) if waits else None),
        cold_starts=sum(h.cold_starts for h in hours) / count,
        met_cold=sum(h.met_cold for h in hours) / count,
    )
